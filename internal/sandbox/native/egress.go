package native

import "net/netip"

// EgressOptions say how sandboxes with `network: egress` reach the outside. The
// zero value is the default.
type EgressOptions struct {
	// Networks are where the sandboxes' addresses may come from; the first that
	// overlaps no route of the host is used. Each sandbox takes four addresses.
	// Default: the /16 networks from 10.200.0.0 to 10.255.0.0.
	Networks []netip.Prefix

	// Resolvers are written to the sandboxes' resolv.conf. Default: those of
	// the host that a sandbox can reach, else 1.1.1.1 and 9.9.9.9.
	Resolvers []netip.Addr

	// AllowPrivate lets sandboxes reach private networks (RFC 1918 and the
	// like), in which the operator's other machines may be. The host itself,
	// its siblings and the metadata addresses of clouds stay closed.
	AllowPrivate bool
}

func (o EgressOptions) withDefaults() EgressOptions {
	if len(o.Networks) == 0 {
		for b := 200; b <= 255; b++ {
			o.Networks = append(o.Networks, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(b), 0, 0}), 16))
		}
	}
	return o
}

// closed are never the outside, whatever AllowPrivate says.
func closedNetworks() []netip.Prefix {
	return prefixes("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4")
}

// privateNetworks are the outside only if AllowPrivate says so.
func privateNetworks() []netip.Prefix {
	return prefixes("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15")
}

func prefixes(texts ...string) []netip.Prefix {
	var ps []netip.Prefix
	for _, t := range texts {
		ps = append(ps, netip.MustParsePrefix(t))
	}
	return ps
}
