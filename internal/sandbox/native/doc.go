// Package native seals functions with what the Linux kernel offers without a
// daemon: namespaces, a read-only root, an own uid, no capabilities, seccomp
// and cgroups. Languages that can fork are forked from a zygote (zygote.md),
// others are started by the init in this package. Isolation is as strong as a
// container's, and the kernel is shared: it is no virtual machine.
package native
