package cli

import (
	"context"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hearth"
	"hearth/client"
	"hearth/client/rest"
)

func (a *App) loginCmd() *cobra.Command {
	c := &cobra.Command{
		Use: "login [URL]", Short: "Keep a server and its key, and use it from now on",
		Long: `Login keeps the address and the key of a server (from --key, $HEARTH_API_KEY, or
standard input) and makes it the one that commands mean. Without URL it lists the
servers that are kept. "hearth login local" goes back to the server on this host.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cs, err := a.readContexts()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				var all []account
				for _, s := range cs.Servers {
					all = append(all, account{URL: s.URL})
				}
				list(a.out(), all, []string{"SERVER", "CURRENT"}, func(s account) []string {
					current := ""
					if s.URL == cs.Current {
						current = "yes"
					}
					return []string{s.URL, current}
				}, "no servers are kept: commands mean the one on this host")
				return nil
			}
			if args[0] == "local" {
				cs.Current = ""
				return a.writeContexts(cs)
			}
			url := strings.TrimRight(args[0], "/")
			if !strings.Contains(url, "://") {
				url = scheme(url) + "://" + url
			}
			key := first(a.key, a.Env("HEARTH_API_KEY"), cs.Servers[url].Key)
			if key == "" {
				if key, err = a.readSecret("API key: "); err != nil {
					return err
				}
			}
			cl, err := client.New(url, key)
			if err != nil {
				return err
			}
			me, err := cl.WhoAmI(cmd.Context())
			if err != nil {
				return err
			}
			cs.Servers[url] = account{URL: url, Key: key}
			cs.Current = url
			if err := a.writeContexts(cs); err != nil {
				return err
			}
			p := a.out()
			p.printf("%s %s as %s (%s)\n", p.green("✓"), url, p.bold(me.User.Name), me.User.Role)
			return nil
		},
	}
	return c
}

// scheme is how a server is likely reached whose address says nothing of it.
func scheme(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return "http"
	}
	return "https"
}

func (a *App) openCmd() *cobra.Command {
	return &cobra.Command{
		Use: "open", Short: "Print a link that signs a browser in to the dashboard, once", Args: cobra.NoArgs,
		RunE: a.with(func(ctx context.Context, cl *client.Client, _ []string) error {
			l, err := cl.SignInLink(ctx)
			if err != nil {
				return err
			}
			p := a.out()
			if p.form == formatJSON {
				p.json(l)
				return nil
			}
			p.printf("%s\n", absolute(cl.URL(), l.URL))
			return nil
		}),
	}
}

func (a *App) usersCmd() *cobra.Command {
	c := &cobra.Command{
		Use: "users", Short: "List, add and remove users", Args: cobra.NoArgs,
		RunE: a.with(func(ctx context.Context, cl *client.Client, _ []string) error {
			us, err := client.Collect(func(p client.Page) (rest.List[hearth.User], error) { return cl.Users(ctx, p) })
			if err != nil {
				return err
			}
			list(a.out(), us, []string{"NAME", "ROLE", "CREATED", "BY"}, func(u hearth.User) []string {
				return []string{u.Name, string(u.Role), ago(u.CreatedAt), u.CreatedBy}
			}, "no users")
			return nil
		}),
	}
	var role string
	add := &cobra.Command{
		Use: "add NAME", Short: "Add a user and print a first key", Args: cobra.ExactArgs(1),
		RunE: a.with(func(ctx context.Context, cl *client.Client, args []string) error {
			u, err := cl.AddUser(ctx, rest.NewUser{Name: args[0], Role: hearth.Role(role)})
			if err != nil {
				return err
			}
			k, err := cl.AddKey(ctx, rest.NewKey{Name: "first", User: u.Name})
			if err != nil {
				return err
			}
			return a.printKey(k)
		}),
	}
	add.Flags().StringVar(&role, "role", string(hearth.RoleDeveloper), "admin, developer or viewer")
	setRole := &cobra.Command{
		Use: "role NAME ROLE", Short: "Give a user another role", Args: cobra.ExactArgs(2),
		RunE: a.with(func(ctx context.Context, cl *client.Client, args []string) error {
			_, err := cl.UpdateUser(ctx, args[0], rest.UserUpdate{Role: hearth.Role(args[1])})
			return err
		}),
	}
	remove := &cobra.Command{
		Use: "remove NAME", Short: "Remove a user and its keys", Args: cobra.ExactArgs(1),
		RunE: a.with(func(ctx context.Context, cl *client.Client, args []string) error {
			return cl.DeleteUser(ctx, args[0])
		}),
	}
	c.AddCommand(add, setRole, remove)
	return c
}

func (a *App) keysCmd() *cobra.Command {
	var user string
	c := &cobra.Command{
		Use: "keys", Short: "List, add and remove API keys", Args: cobra.NoArgs,
		RunE: a.with(func(ctx context.Context, cl *client.Client, _ []string) error {
			ks, err := client.Collect(func(p client.Page) (rest.List[hearth.Key], error) { return cl.Keys(ctx, user, p) })
			if err != nil {
				return err
			}
			list(a.out(), ks, []string{"ID", "NAME", "STARTS WITH", "CREATED", "EXPIRES", "LAST USED"}, func(k hearth.Key) []string {
				expires, used := "never", "never"
				if k.ExpiresAt != nil {
					expires = k.ExpiresAt.Local().Format(time.DateTime)
				}
				if k.LastUsed != nil {
					used = ago(*k.LastUsed)
				}
				return []string{k.ID, k.Name, k.Prefix, ago(k.CreatedAt), expires, used}
			}, "no keys")
			return nil
		}),
	}
	c.PersistentFlags().StringVar(&user, "user", "", "of this user (default: yourself)")
	var ttl time.Duration
	add := &cobra.Command{
		Use: "add NAME", Short: "Make a key and print it, this once", Args: cobra.ExactArgs(1),
		RunE: a.with(func(ctx context.Context, cl *client.Client, args []string) error {
			k, err := cl.AddKey(ctx, rest.NewKey{Name: args[0], User: user, TTL: hearth.Duration(ttl)})
			if err != nil {
				return err
			}
			return a.printKey(k)
		}),
	}
	add.Flags().DurationVar(&ttl, "ttl", 0, "how long it works (default for ever)")
	remove := &cobra.Command{
		Use: "remove ID", Short: "Take a key away", Args: cobra.ExactArgs(1),
		RunE: a.with(func(ctx context.Context, cl *client.Client, args []string) error {
			return cl.DeleteKey(ctx, args[0])
		}),
	}
	c.AddCommand(add, remove)
	return c
}

// printKey shows a new key. A program gets the secret alone on a line.
func (a *App) printKey(k rest.CreatedKey) error {
	p := a.out()
	switch p.form {
	case formatJSON:
		p.json(k)
	case formatPlain:
		p.printf("%s\n", k.Secret)
	default:
		p.printf("%s\n%s\n", p.bold(k.Secret), p.dim("keep it: it is not shown again"))
	}
	return nil
}
