// Command hearth is the server and its command line in one program.
package main

import (
	"os"

	"hearth/internal/cli"
	"hearth/internal/sandbox/native"
)

// version is set by the linker.
var version = "dev"

func main() {
	// The native driver starts this program again inside new namespaces, where
	// it becomes the sandbox and nothing else.
	if native.IsInit() {
		os.Exit(native.Init())
	}
	os.Exit(cli.Main(version, native.EnterUserNamespace))
}
