package native

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// firewall is the rules for all sandboxes with egress, in a table of its own:
//
//	input     from a sandbox to the host: rejected, whatever the address
//	forward   to a sandbox: replies only. From a sandbox: IPv4, from an address
//	          of its own network, to resolvers and to what is outside; else rejected
//	nat       what leaves carries the host's address
//
// An accept here isn't final, other tables may still drop; a drop or a reject is.
type firewall struct {
	table        string
	prefix       string // of the names of the sandboxes' interfaces
	network      netip.Prefix
	resolvers    []netip.Addr
	allowPrivate bool
}

// write replaces the table, in one transaction.
func (f firewall) write() error {
	if err := removeTable(f.table); err != nil {
		return err
	}
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open packet filter: %w", err)
	}
	t := c.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: f.table})
	chain := func(name string, typ nftables.ChainType, hook *nftables.ChainHook, prio *nftables.ChainPriority) func(parts ...[]expr.Any) {
		ch := c.AddChain(&nftables.Chain{Name: name, Table: t, Type: typ, Hooknum: hook, Priority: prio})
		return func(parts ...[]expr.Any) {
			var all []expr.Any
			for _, p := range parts {
				all = append(all, p...)
			}
			c.AddRule(&nftables.Rule{Table: t, Chain: ch, Exprs: all})
		}
	}
	input := chain("input", nftables.ChainTypeFilter, nftables.ChainHookInput, nftables.ChainPriorityFilter)
	input(from(f.prefix), reject())

	forward := chain("forward", nftables.ChainTypeFilter, nftables.ChainHookForward, nftables.ChainPriorityFilter)
	forward(to(f.prefix), answering(), accept())
	forward(to(f.prefix), reject()) // siblings, and the outside
	forward(from(f.prefix), notIPv4(), reject())
	forward(from(f.prefix), sourceNotIn(f.network), drop())
	for _, r := range f.resolvers {
		for _, proto := range []byte{unix.IPPROTO_UDP, unix.IPPROTO_TCP} {
			forward(from(f.prefix), destination(netip.PrefixFrom(r, 32)), port(proto, 53), accept())
		}
	}
	for _, p := range f.closed() {
		forward(from(f.prefix), destination(p), reject())
	}

	nat := chain("nat", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource)
	nat(ipv4(), sourceIn(f.network), []expr.Any{&expr.Masq{}})

	if err := c.Flush(); err != nil {
		return fmt.Errorf("write packet filter: %w", err)
	}
	return nil
}

// closed are the networks that aren't the outside.
func (f firewall) closed() []netip.Prefix {
	ps := append(closedNetworks(), f.network)
	if !f.allowPrivate {
		ps = append(ps, privateNetworks()...)
	}
	return ps
}

// removeTable removes a table if it exists.
func removeTable(name string) error {
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open packet filter: %w", err)
	}
	tables, err := c.ListTablesOfFamily(nftables.TableFamilyINet)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EPROTONOSUPPORT) {
		return nil // no packet filter, no table
	}
	if err != nil {
		return fmt.Errorf("list packet filter: %w", err)
	}
	for _, t := range tables {
		if t.Name != name {
			continue
		}
		c.DelTable(t)
		if err := c.Flush(); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("remove packet filter: %w", err)
		}
	}
	return nil
}

// tablesWork reports why the packet filter can't be used.
func tablesWork() error {
	c, err := nftables.New()
	if err != nil {
		return err
	}
	_, err = c.ListTablesOfFamily(nftables.TableFamilyINet)
	return err
}

// droppingForwarders returns the chains of others that drop what is forwarded
// unless a rule accepts it, as Docker sets them up.
func droppingForwarders() []string {
	c, err := nftables.New()
	if err != nil {
		return nil
	}
	chains, err := c.ListChains()
	if err != nil {
		return nil
	}
	var names []string
	for _, ch := range chains {
		if ch.Hooknum != nil && *ch.Hooknum == *nftables.ChainHookForward &&
			ch.Policy != nil && *ch.Policy == nftables.ChainPolicyDrop {
			names = append(names, "table "+ch.Table.Name+", chain "+ch.Name)
		}
	}
	return names
}

// Conditions and verdicts.

// from matches packets that come in by an interface whose name starts so.
func from(prefix string) []expr.Any { return named(expr.MetaKeyIIFNAME, prefix) }

// to matches packets that go out by an interface whose name starts so.
func to(prefix string) []expr.Any { return named(expr.MetaKeyOIFNAME, prefix) }

func named(key expr.MetaKey, prefix string) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: key, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte(prefix)},
	}
}

func protocol(op expr.CmpOp) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		&expr.Cmp{Op: op, Register: 1, Data: []byte{unix.NFPROTO_IPV4}},
	}
}

func ipv4() []expr.Any    { return protocol(expr.CmpOpEq) }
func notIPv4() []expr.Any { return protocol(expr.CmpOpNeq) }

// answering matches packets of a conversation that a sandbox began.
func answering() []expr.Any {
	return []expr.Any{
		&expr.Ct{Register: 1, Key: expr.CtKeySTATE},
		&expr.Bitwise{
			SourceRegister: 1, DestRegister: 1, Len: 4,
			Mask: binary.NativeEndian.AppendUint32(nil, expr.CtStateBitESTABLISHED|expr.CtStateBitRELATED),
			Xor:  make([]byte, 4),
		},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)},
	}
}

// Offsets in the header of IPv4.
const (
	offSource      = 12
	offDestination = 16
)

func addressIn(offset uint32, p netip.Prefix, op expr.CmpOp) []expr.Any {
	mask := binary.BigEndian.AppendUint32(nil, ^uint32(0)<<(32-p.Bits()))
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: 4},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: mask, Xor: make([]byte, 4)},
		&expr.Cmp{Op: op, Register: 1, Data: p.Masked().Addr().AsSlice()},
	}
}

func sourceIn(p netip.Prefix) []expr.Any    { return addressIn(offSource, p, expr.CmpOpEq) }
func sourceNotIn(p netip.Prefix) []expr.Any { return addressIn(offSource, p, expr.CmpOpNeq) }
func destination(p netip.Prefix) []expr.Any { return addressIn(offDestination, p, expr.CmpOpEq) }

// port matches a destination port of TCP or UDP.
func port(proto byte, n uint16) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{proto}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binary.BigEndian.AppendUint16(nil, n)},
	}
}

func accept() []expr.Any { return []expr.Any{&expr.Verdict{Kind: expr.VerdictAccept}} }
func drop() []expr.Any   { return []expr.Any{&expr.Verdict{Kind: expr.VerdictDrop}} }

// reject tells the sandbox at once, so that a function fails with an error
// instead of a time-out.
func reject() []expr.Any {
	return []expr.Any{&expr.Reject{Type: unix.NFT_REJECT_ICMPX_UNREACH, Code: unix.NFT_REJECT_ICMPX_ADMIN_PROHIBITED}}
}
