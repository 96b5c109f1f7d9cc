package native

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"hearth"
	"hearth/internal/sandbox"
)

// egress gives sandboxes the way out that `network: egress` promises: a pair
// of interfaces with one end in the sandbox's namespace, and the rules of
// firewall that let packets out and nothing else. Each pair is a network of
// its own, so siblings share no link. Nothing on the host is touched before
// the first attach. All methods may be called concurrently.
type egress struct {
	instance string
	prefix   string // of the host ends' names
	opts     EgressOptions

	mu      sync.Mutex
	up      bool
	network netip.Prefix // of all our sandboxes
	resolv  []netip.Addr
	taken   map[int]bool // slots
	next    int
	restore []string // interfaces on which forwarding was turned on
}

// openEgress returns the egress of an instance, which has done nothing yet.
func openEgress(instance string, o EgressOptions) *egress {
	sum := sha256.Sum256([]byte(instance))
	return &egress{
		instance: instance,
		// An interface's name has at most 15 characters.
		prefix: "hth" + hex.EncodeToString(sum[:3]),
		opts:   o.withDefaults(),
		taken:  map[int]bool{},
	}
}

// attach puts an interface with a way out into the namespace and returns what
// the sandbox needs for /etc/resolv.conf. Release takes it all away; it may be called
// more than once.
func (e *egress) attach(ctx context.Context, id string, ns *os.File) (release func(), resolvConf []byte, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if en := e.probe(); !en.OK {
		return nil, nil, hearth.Errorf(hearth.CodeUnsupported, "this host can't offer egress: %s", en.Why).WithHint("%s", en.Fix)
	}
	slot, err := e.reserve()
	if err != nil {
		return nil, nil, fmt.Errorf("attach %s to the network: %w", id, err)
	}
	release = sync.OnceFunc(func() { e.release(slot) })
	if err := e.connect(slot, int(ns.Fd())); err != nil {
		release()
		return nil, nil, fmt.Errorf("attach %s to the network: %w", id, err)
	}
	var conf strings.Builder
	for _, r := range e.resolv {
		fmt.Fprintf(&conf, "nameserver %s\n", r)
	}
	return release, []byte(conf.String()), nil
}

// reserve sets the host up if need be and returns a free slot.
func (e *egress) reserve() (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.up {
		if err := e.setUp(); err != nil {
			return 0, err
		}
		e.up = true
	}
	if err := e.forward(); err != nil {
		return 0, err
	}
	slots := 1 << (30 - e.network.Bits())
	for range slots {
		slot := e.next % slots
		e.next++
		if !e.taken[slot] {
			e.taken[slot] = true
			return slot, nil
		}
	}
	return 0, hearth.Errorf(hearth.CodeUnavailable, "all %d addresses of %s are in use", slots, e.network).
		WithHint("let fewer functions with network run at once, or give egress a larger network")
}

func (e *egress) release(slot int) {
	if link, err := netlink.LinkByName(e.linkName(slot)); err == nil {
		_ = netlink.LinkDel(link) // fails if the namespace took it along
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.taken, slot)
}

func (e *egress) linkName(slot int) string { return fmt.Sprintf("%s%d", e.prefix, slot) }

// addresses returns the host's and the sandbox's end of a slot's network.
func (e *egress) addresses(slot int) (host, cell netip.Addr) {
	a := e.network.Addr().As4()
	n := uint32(a[0])<<24 | uint32(a[1])<<16 | uint32(a[2])<<8 | uint32(a[3])
	n += uint32(slot) * 4
	at := func(n uint32) netip.Addr {
		return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
	}
	return at(n + 1), at(n + 2)
}

// setUp chooses the network and writes the rules.
func (e *egress) setUp() error {
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return fmt.Errorf("list routes: %w", err)
	}
	if e.network, err = e.choose(routes); err != nil {
		return err
	}
	local, err := localAddresses()
	if err != nil {
		return err
	}
	if e.resolv = e.opts.Resolvers; len(e.resolv) == 0 {
		e.resolv = hostResolvers("/", local)
	}
	return firewall{
		table: e.table(), prefix: e.prefix, network: e.network, resolvers: e.resolv, allowPrivate: e.opts.AllowPrivate,
	}.write()
}

// choose returns the first network that overlaps no route, starting at a place
// that depends on the instance: two that start together choose apart.
func (e *egress) choose(routes []netlink.Route) (netip.Prefix, error) {
	start := int(e.prefix[len(e.prefix)-1]) + 16*int(e.prefix[len(e.prefix)-2])
	n := len(e.opts.Networks)
	for i := range n {
		p := e.opts.Networks[(start+i)%n].Masked()
		if p.Addr().Is4() && p.Bits() <= 30 && !overlapsRoute(p, routes) {
			return p, nil
		}
	}
	return netip.Prefix{}, hearth.Errorf(hearth.CodeUnsupported, "every network that egress may use overlaps a route of this host").
		WithHint("give egress a private network that is free here")
}

func overlapsRoute(p netip.Prefix, routes []netlink.Route) bool {
	for _, r := range routes {
		if r.Dst == nil {
			continue
		}
		ones, _ := r.Dst.Mask.Size()
		addr, ok := netip.AddrFromSlice(r.Dst.IP)
		if ok && ones > 0 && p.Overlaps(netip.PrefixFrom(addr.Unmap(), ones)) {
			return true
		}
	}
	return false
}

// forward lets the interfaces with a default route forward packets, which the
// kernel asks of where a packet comes in. It is narrower than net.ipv4.ip_forward.
func (e *egress) forward() error {
	for _, name := range uplinks() {
		on, err := number(forwardingDir(name), "forwarding")
		if err != nil {
			return fmt.Errorf("read whether %s forwards: %w", name, err)
		}
		if on == 1 {
			continue
		}
		if err := put(forwardingDir(name), "forwarding", "1"); err != nil {
			return fmt.Errorf("let %s forward: %w", name, err)
		}
		e.restore = append(e.restore, name)
	}
	return nil
}

func forwardingDir(link string) string { return filepath.Join("/proc/sys/net/ipv4/conf", link) }

// uplinks returns the names of the interfaces that lead to the outside.
func uplinks() []string {
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return nil
	}
	var names []string
	for _, r := range routes {
		if r.Dst != nil {
			if ones, _ := r.Dst.Mask.Size(); ones != 0 {
				continue
			}
		}
		if link, err := netlink.LinkByIndex(r.LinkIndex); err == nil {
			names = append(names, link.Attrs().Name)
		}
	}
	return names
}

// connect makes the pair of a slot, with one end in the namespace.
func (e *egress) connect(slot, ns int) error {
	name := e.linkName(slot)
	if old, err := netlink.LinkByName(name); err == nil {
		_ = netlink.LinkDel(old)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	attrs.MTU = uplinkMTU()
	veth := netlink.NewVeth(attrs)
	veth.PeerName, veth.PeerNamespace, veth.PeerMTU = "eth0", netlink.NsFd(ns), uint32(attrs.MTU)
	if err := netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("make interfaces: %w", err)
	}
	host, cell := e.addresses(slot)
	// The rules drop IPv6 as well; without it there isn't even an address.
	if err := put(filepath.Join("/proc/sys/net/ipv6/conf", name), "disable_ipv6", "1"); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.EROFS) {
		return fmt.Errorf("turn off IPv6 of %s: %w", name, err)
	}
	if err := netlink.AddrAdd(veth, address(host)); err != nil {
		return fmt.Errorf("give %s its address: %w", name, err)
	}
	if err := netlink.LinkSetUp(veth); err != nil {
		return fmt.Errorf("turn on %s: %w", name, err)
	}
	if err := put(forwardingDir(name), "forwarding", "1"); err != nil {
		return fmt.Errorf("let %s forward: %w", name, err)
	}
	return furnish(ns, host, cell)
}

// furnish gives the inner end its address and route and turns on loopback.
func furnish(ns int, host, cell netip.Addr) error {
	h, err := netlink.NewHandleAt(netns.NsHandle(ns), unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("enter network namespace: %w", err)
	}
	defer h.Close()
	for _, name := range []string{"lo", "eth0"} {
		link, err := h.LinkByName(name)
		if err != nil {
			return fmt.Errorf("find %s inside: %w", name, err)
		}
		if name == "eth0" {
			if err := h.AddrAdd(link, address(cell)); err != nil {
				return fmt.Errorf("give eth0 its address: %w", err)
			}
		}
		if err := h.LinkSetUp(link); err != nil {
			return fmt.Errorf("turn on %s inside: %w", name, err)
		}
	}
	if err := h.RouteAdd(&netlink.Route{Gw: host.AsSlice()}); err != nil {
		return fmt.Errorf("add default route: %w", err)
	}
	return nil
}

func address(a netip.Addr) *netlink.Addr {
	return &netlink.Addr{IPNet: &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(30, 32)}}
}

// uplinkMTU returns the smallest packet size of the ways out, so that a sandbox
// needn't find it out.
func uplinkMTU() int {
	mtu := 1500
	for _, name := range uplinks() {
		if link, err := netlink.LinkByName(name); err == nil && link.Attrs().MTU > 0 {
			mtu = min(mtu, link.Attrs().MTU)
		}
	}
	return mtu
}

// close removes the rules and every interface, and turns off forwarding where
// it was turned on. It may be called again.
func (e *egress) close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.up {
		return nil
	}
	err := e.sweep()
	for _, name := range e.restore {
		if werr := put(forwardingDir(name), "forwarding", "0"); werr != nil && !errors.Is(werr, fs.ErrNotExist) {
			err = errors.Join(err, werr)
		}
	}
	e.up, e.restore = false, nil
	return err
}

// leftovers removes what an earlier process of the instance left behind. It is
// called before the first attach.
func (e *egress) leftovers() error {
	if rootless() || os.Geteuid() != 0 {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.up {
		return nil
	}
	return e.sweep()
}

// sweep removes the interfaces and the rules of the instance.
func (e *egress) sweep() error {
	links, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("list interfaces: %w", err)
	}
	var errs []error
	for _, l := range links {
		if name := l.Attrs().Name; l.Type() == "veth" && strings.HasPrefix(name, e.prefix) {
			if err := netlink.LinkDel(l); err != nil && !errors.Is(err, unix.ENODEV) {
				errs = append(errs, fmt.Errorf("remove %s: %w", name, err))
			}
		}
	}
	return errors.Join(append(errs, removeTable(e.table()))...)
}

// table is the name of the rules' table. nft's own language knows no dash.
func (e *egress) table() string {
	return "hearth_" + strings.ReplaceAll(e.instance, "-", "_")
}

// probe says whether egress can be offered here.
func (e *egress) probe() sandbox.Enforcement {
	if rootless() || os.Geteuid() != 0 {
		return sandbox.Enforcement{
			Why: "without root no interface of the host can be made",
			Fix: "run hearth as root to offer network: egress",
		}
	}
	if err := tablesWork(); err != nil {
		return sandbox.Enforcement{
			Why: fmt.Sprintf("the kernel's packet filter can't be used (%v)", err),
			Fix: "load it: sudo modprobe nf_tables && sudo modprobe nft_masq",
		}
	}
	return sandbox.Enforcement{OK: true}
}

// localAddresses returns the host's own addresses.
func localAddresses() (map[netip.Addr]bool, error) {
	addrs, err := netlink.AddrList(nil, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	local := map[netip.Addr]bool{}
	for _, a := range addrs {
		if ip, ok := netip.AddrFromSlice(a.IP); ok {
			local[ip.Unmap()] = true
		}
	}
	return local, nil
}

// hostResolvers returns the host's name servers that a sandbox can reach,
// public ones if there are none: a sandbox reaches no service of the host, so
// not its caching server either, but what that one asks.
func hostResolvers(root string, local map[netip.Addr]bool) []netip.Addr {
	for _, file := range []string{"etc/resolv.conf", "run/systemd/resolve/resolv.conf"} {
		b, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			continue
		}
		var found []netip.Addr
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line)
			if len(f) < 2 || f[0] != "nameserver" {
				continue
			}
			if a, err := netip.ParseAddr(f[1]); err == nil && a.Is4() && !a.IsLoopback() && !a.IsUnspecified() && !local[a] {
				found = append(found, a)
			}
		}
		if len(found) > 0 {
			return found[:min(len(found), 3)] // C libraries read no more
		}
	}
	return []netip.Addr{netip.AddrFrom4([4]byte{1, 1, 1, 1}), netip.AddrFrom4([4]byte{9, 9, 9, 9})}
}
