// Package python finds the Python 3 interpreters of a host, guesses handlers in
// Python code, and holds the shim that runs a function and the zygote that
// forks sealed copies of it.
//
// # What a sandbox sees
//
// A runtime's Files are, on a Debian host, about forty entries:
//
//   - the interpreter (/usr/bin/python3.11) and its standard library
//     (/usr/lib/python3.11). The host's dist-packages and site-packages are
//     elsewhere and not listed; an interpreter built from source keeps its
//     site-packages inside the library's folder, where a function can read it
//     but doesn't import from it: the shim runs with -I -S.
//   - the shared libraries that the interpreter, its extension modules and the
//     tools need. Where one folder holds many of them the folder is listed, not
//     each file, because every mount costs every sandbox time. It is the host's
//     library folder: wheels that need libstdc++ or libgomp work.
//   - the dynamic loader at the very path that binaries name.
//   - a shell and the common filters, one entry each, for subprocess.
//   - time zones, certificate authorities, the loader's cache, C.UTF-8.
//
// The folders of the paths are canonical. On a host with a merged /usr the
// driver recreates the top-level links that the host has (/bin, /sbin, /lib,
// /lib64 and the like); everything else is reached by its own path. The last
// element may be a symbolic link on the host (libz.so.1, sh): the driver binds
// what it leads to at that name.
//
// # What forked sandboxes share
//
// Sandboxes forked from one zygote inherit its hash seed and its address layout.
// Random sources are seeded anew in each. The zygote imports the standard
// library and the shim, never a function's code.
//
// It starts no process but an interpreter that is asked for its version: running
// functions is a driver's work.
package python
