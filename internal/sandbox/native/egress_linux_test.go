package native

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// The tests of egress run in a helper whose network namespace stands for the
// host, so that nothing of the real one is touched. A second namespace is the
// outside: it has a server on the internet, a metadata service, a private
// network with a resolver, and no route back to the sandboxes.
const (
	hostAddr     = "203.0.113.1"
	routerAddr   = "203.0.113.2"
	internetAddr = "198.51.100.7"
	metadataAddr = "169.254.169.254"
	privateAddr  = "10.99.0.1"
)

func TestEgressReachesTheOutsideAlone(t *testing.T) {
	needRoot(t)
	cmd := helper("egress")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	for line := range strings.Lines(mustRun(t, cmd)) {
		t.Log(strings.TrimSpace(line))
		if strings.HasPrefix(line, "FAIL") {
			t.Error(strings.TrimSpace(line))
		}
	}
}

// inNamespace runs f in a network namespace.
func inNamespace(ns *os.File, f func() error) (err error) {
	onSpareThread(func() {
		if err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err == nil {
			err = f()
		}
	})
	return err
}

// outside makes the outside world and returns its namespace.
func outside() (*os.File, error) {
	ns, err := newNetns()
	if err != nil {
		return nil, err
	}
	a := netlink.NewLinkAttrs()
	a.Name, a.MTU = "up0", 1450
	up := netlink.NewVeth(a)
	up.PeerName, up.PeerNamespace = "out0", netlink.NsFd(int(ns.Fd()))
	if err := netlink.LinkAdd(up); err != nil {
		return nil, err
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return nil, err
	}
	if err := errors.Join(
		netlink.LinkSetUp(lo),
		netlink.AddrAdd(up, mustAddr(hostAddr+"/24")),
		netlink.LinkSetUp(up),
		inside(ns, func(h *netlink.Handle) error {
			lo, err := h.LinkByName("lo")
			if err != nil {
				return err
			}
			out, err := h.LinkByName("out0")
			if err != nil {
				return err
			}
			return errors.Join(
				h.AddrAdd(lo, mustAddr(internetAddr+"/32")), h.AddrAdd(lo, mustAddr(metadataAddr+"/32")), h.AddrAdd(lo, mustAddr(privateAddr+"/32")),
				h.LinkSetUp(lo), h.AddrAdd(out, mustAddr(routerAddr+"/24")), h.LinkSetUp(out))
		}),
		netlink.RouteAdd(&netlink.Route{Gw: net.ParseIP(routerAddr)}),
	); err != nil {
		return nil, err
	}
	return ns, nil
}

func inside(ns *os.File, f func(h *netlink.Handle) error) error {
	h, err := netlink.NewHandleAt(netns.NsHandle(int(ns.Fd())), unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer h.Close()
	return f(h)
}

func mustAddr(s string) *netlink.Addr {
	a, err := netlink.ParseAddr(s)
	if err != nil {
		panic(err)
	}
	return a
}

// serve answers every connection on a port with the caller's address.
func serve(ns *os.File, port string) error {
	return inNamespace(ns, func() error {
		l, err := net.Listen("tcp4", "0.0.0.0:"+port)
		if err != nil {
			return err
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				host, _, _ := net.SplitHostPort(c.RemoteAddr().String())
				_, _ = io.WriteString(c, host)
				_ = c.Close()
			}
		}()
		return nil
	})
}

// serveNames answers every packet to port 53 with its own text.
func serveNames(ns *os.File) error {
	return inNamespace(ns, func() error {
		p, err := net.ListenPacket("udp4", privateAddr+":53")
		if err != nil {
			return err
		}
		go func() {
			buf := make([]byte, 64)
			for {
				n, from, err := p.ReadFrom(buf)
				if err != nil {
					return
				}
				_, _ = p.WriteTo(buf[:n], from)
			}
		}()
		return nil
	})
}

// call connects from a namespace and returns what the server said.
func call(ns *os.File, network, addr string) (reply string, err error) {
	err = inNamespace(ns, func() error {
		c, err := net.DialTimeout(network, addr, 3*time.Second)
		if err != nil {
			return err
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(3 * time.Second))
		if network == "udp4" {
			if _, err := io.WriteString(c, "name?"); err != nil {
				return err
			}
		}
		buf := make([]byte, 64)
		n, err := c.Read(buf)
		reply = string(buf[:n])
		return err
	})
	return reply, err
}

func egressHelper() error {
	ctx := context.Background()
	host, err := os.Open("/proc/self/ns/net")
	if err != nil {
		return err
	}
	out, err := outside()
	if err != nil {
		return fmt.Errorf("make the outside: %w", err)
	}
	if err := errors.Join(serve(out, "8000"), serve(host, "8000"), serveNames(out)); err != nil {
		return err
	}

	e := openEgress("test-1", EgressOptions{Resolvers: []netip.Addr{netip.MustParseAddr(privateAddr)}})
	cells := make([]*os.File, 2)
	releases := make([]func(), 2)
	for i := range cells {
		if cells[i], err = newNetns(); err != nil {
			return err
		}
		start := time.Now()
		var conf []byte
		if releases[i], conf, err = e.attach(ctx, fmt.Sprint("cell", i), cells[i]); err != nil {
			return err
		}
		fmt.Printf("attach took %d us\n", time.Since(start).Microseconds())
		if got, want := string(conf), "nameserver "+privateAddr+"\n"; got != want {
			fmt.Printf("FAIL resolv.conf is %q, want %q\n", got, want)
		}
		if err := serve(cells[i], "8000"); err != nil {
			return err
		}
	}
	gateway, first := e.addresses(0)
	_, second := e.addresses(1)

	type try struct {
		what, network, addr string
		from                *os.File
		want                string // "" is refused
	}
	run := func(tries ...try) {
		for _, c := range tries {
			got, err := call(c.from, c.network, c.addr)
			var timeout net.Error
			switch {
			case c.want != "" && (err != nil || got != c.want):
				fmt.Printf("FAIL %s: got %q, %v, want %q\n", c.what, got, err, c.want)
			case c.want == "" && err == nil:
				fmt.Printf("FAIL %s: got %q, want it refused\n", c.what, got)
			case c.want == "" && errors.As(err, &timeout) && timeout.Timeout():
				fmt.Printf("FAIL %s: it timed out, want it refused at once\n", c.what)
			default:
				fmt.Printf("%s: %q %v\n", c.what, got, err)
			}
		}
	}
	run(
		// What must work, and that the others are there at all.
		try{"a sandbox to the internet, under the host's address", "tcp4", internetAddr + ":8000", cells[0], hostAddr},
		try{"a sandbox to its resolver", "udp4", privateAddr + ":53", cells[0], "name?"},
		try{"a sandbox to itself", "tcp4", "127.0.0.1:8000", cells[0], "127.0.0.1"},
		try{"the host to the metadata service", "tcp4", metadataAddr + ":8000", host, hostAddr},
		try{"the host to the private network", "tcp4", privateAddr + ":8000", host, hostAddr},
		try{"the host to itself", "tcp4", hostAddr + ":8000", host, hostAddr},
		try{"a sibling to itself, by its address", "tcp4", second.String() + ":8000", cells[1], second.String()},
		// What must not.
		try{"a sandbox to the host by its gateway", "tcp4", gateway.String() + ":8000", cells[0], ""},
		try{"a sandbox to the host by its address", "tcp4", hostAddr + ":8000", cells[0], ""},
		try{"a sandbox to its sibling", "tcp4", second.String() + ":8000", cells[0], ""},
		try{"a sandbox to the metadata service", "tcp4", metadataAddr + ":8000", cells[0], ""},
		try{"a sandbox to the private network", "tcp4", privateAddr + ":8000", cells[0], ""},
		try{"a sandbox to another port of its resolver", "udp4", privateAddr + ":8000", cells[0], ""},
	)
	// Somebody outside who knows the way.
	if err := inside(out, func(h *netlink.Handle) error {
		_, dst, _ := net.ParseCIDR(e.network.String())
		return h.RouteAdd(&netlink.Route{Dst: dst, Gw: net.ParseIP(hostAddr)})
	}); err != nil {
		return err
	}
	run(try{"the outside to a sandbox", "tcp4", first.String() + ":8000", out, ""})
	if err := inside(out, func(h *netlink.Handle) error {
		_, dst, _ := net.ParseCIDR(e.network.String())
		return h.RouteDel(&netlink.Route{Dst: dst, Gw: net.ParseIP(hostAddr)})
	}); err != nil {
		return err
	}

	link, err := netlink.LinkByName(e.linkName(0))
	if err != nil {
		return err
	}
	if v6, err := netlink.AddrList(link, netlink.FAMILY_V6); err != nil || len(v6) != 0 {
		fmt.Printf("FAIL the host's end has IPv6 addresses: %v %v\n", v6, err)
	}
	if link.Attrs().MTU != 1450 {
		fmt.Printf("FAIL the MTU is %d, want the uplink's 1450\n", link.Attrs().MTU)
	}

	// Release takes the interface, and only that.
	releases[0]()
	releases[0]()
	if _, err := netlink.LinkByName(e.linkName(0)); err == nil {
		fmt.Println("FAIL the interface is there after release")
	}
	run(try{"the other sandbox after a release", "tcp4", internetAddr + ":8000", cells[1], hostAddr})

	if err := e.close(); err != nil {
		return err
	}
	if err := clean(e); err != nil {
		fmt.Println("FAIL after close:", err)
	}
	return egressAgain(ctx)
}

// clean reports what an egress left behind.
func clean(e *egress) error {
	links, err := netlink.LinkList()
	if err != nil {
		return err
	}
	for _, l := range links {
		if strings.HasPrefix(l.Attrs().Name, e.prefix) {
			return fmt.Errorf("interface %s", l.Attrs().Name)
		}
	}
	c, err := nftables.New()
	if err != nil {
		return err
	}
	tables, err := c.ListTables()
	if err != nil || len(tables) != 0 {
		return fmt.Errorf("%d tables, %v", len(tables), err)
	}
	if on, err := number(forwardingDir("up0"), "forwarding"); on != 0 || err != nil {
		return fmt.Errorf("up0 forwards: %d, %v", on, err)
	}
	return nil
}

// egressAgain covers the option, and recovery from a crash.
func egressAgain(ctx context.Context) error {
	e := openEgress("test-1", EgressOptions{AllowPrivate: true})
	ns, err := newNetns()
	if err != nil {
		return err
	}
	if _, _, err := e.attach(ctx, "cell", ns); err != nil {
		return err
	}
	if got, err := call(ns, "tcp4", privateAddr+":8000"); err != nil || got != hostAddr {
		fmt.Printf("FAIL a sandbox to the private network, allowed: %q, %v\n", got, err)
	}
	for what, addr := range map[string]string{"metadata service": metadataAddr, "host": hostAddr} {
		if got, err := call(ns, "tcp4", addr+":8000"); err == nil {
			fmt.Printf("FAIL a sandbox to the %s, private networks allowed: %q\n", what, got)
		}
	}
	// Killed here; the next process of the same instance starts.
	next := openEgress("test-1", EgressOptions{})
	if err := next.leftovers(); err != nil {
		return err
	}
	// A killed process doesn't turn forwarding off.
	if err := put(forwardingDir("up0"), "forwarding", "0"); err != nil {
		return err
	}
	if err := clean(next); err != nil {
		fmt.Println("FAIL after leftovers:", err)
	}
	return nil
}

func TestNetworkAvoidsRoutes(t *testing.T) {
	e := openEgress("x", EgressOptions{Networks: prefixes("10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16")})
	route := func(s string) netlink.Route {
		_, dst, err := net.ParseCIDR(s)
		if err != nil {
			t.Fatal(err)
		}
		return netlink.Route{Dst: dst}
	}
	got, err := e.choose([]netlink.Route{route("0.0.0.0/0"), {}, route("10.1.2.0/24"), route("10.2.0.0/15")})
	if err == nil {
		t.Errorf("got %v, want none free", got)
	}
	got, err = e.choose([]netlink.Route{route("0.0.0.0/0"), {}, route("10.1.2.0/24"), route("10.3.0.0/17")})
	if err != nil || got.String() != "10.2.0.0/16" {
		t.Errorf("got %v, %v, want 10.2.0.0/16", got, err)
	}
}

func TestResolversThatASandboxReaches(t *testing.T) {
	local := map[netip.Addr]bool{netip.MustParseAddr("192.168.7.7"): true}
	for what, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"the host's":                {map[string]string{"etc/resolv.conf": "search x\nnameserver 192.168.7.1\nnameserver 10.1.1.1\n"}, "[192.168.7.1 10.1.1.1]"},
		"behind a caching server":   {map[string]string{"etc/resolv.conf": "nameserver 127.0.0.53\n", "run/systemd/resolve/resolv.conf": "nameserver 10.0.0.2\n"}, "[10.0.0.2]"},
		"on the host itself":        {map[string]string{"etc/resolv.conf": "nameserver 192.168.7.7\nnameserver ::1\n"}, "[1.1.1.1 9.9.9.9]"},
		"no more than three":        {map[string]string{"etc/resolv.conf": "nameserver 8.0.0.1\nnameserver 8.0.0.2\nnameserver 8.0.0.3\nnameserver 8.0.0.4\n"}, "[8.0.0.1 8.0.0.2 8.0.0.3]"},
		"a host without resolvers":  {nil, "[1.1.1.1 9.9.9.9]"},
		"a line that names nothing": {map[string]string{"etc/resolv.conf": "nameserver\nnameserver x\n"}, "[1.1.1.1 9.9.9.9]"},
	} {
		root := t.TempDir()
		for name, text := range c.files {
			path := filepath.Join(root, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		if got := fmt.Sprint(hostResolvers(root, local)); got != c.want {
			t.Errorf("%s: got %s, want %s", what, got, c.want)
		}
	}
}

func TestNamespacesAreEmptyAndApart(t *testing.T) {
	needRoot(t)
	p := newNetnsPool(2)
	defer p.close()
	seen := map[uint64]bool{}
	for range 4 {
		ns, err := p.take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer ns.Close()
		var st unix.Stat_t
		if err := unix.Fstat(int(ns.Fd()), &st); err != nil {
			t.Fatal(err)
		}
		if seen[st.Ino] {
			t.Error("a namespace was given twice")
		}
		seen[st.Ino] = true
		if err := inside(ns, func(h *netlink.Handle) error {
			links, err := h.LinkList()
			if err != nil {
				return err
			}
			for _, l := range links {
				if l.Attrs().Flags&net.FlagUp != 0 {
					t.Errorf("%s is up", l.Attrs().Name)
				}
			}
			if !slices.ContainsFunc(links, func(l netlink.Link) bool { return l.Attrs().Name == "lo" }) {
				t.Error("there is no loopback interface")
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
	p.close()
	if _, err := p.take(t.Context()); err == nil {
		t.Error("a closed pool gives namespaces")
	}
}

func TestMakerOfNamespaceLeavesOurs(t *testing.T) {
	needRoot(t)
	before, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		ns, err := newNetns()
		if err != nil {
			t.Fatal(err)
		}
		_ = ns.Close()
	}
	if after, err := os.Readlink("/proc/self/ns/net"); err != nil || after != before {
		t.Errorf("the process is in %s, want %s (%v)", after, before, err)
	}
	for range 8 {
		out, err := exec.Command("readlink", "/proc/self/ns/net").Output()
		if err != nil || strings.TrimSpace(string(out)) != before {
			t.Errorf("a child is in %s, want %s (%v)", out, before, err)
		}
	}
}
