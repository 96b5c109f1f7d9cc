// Package live passes on what happens in a server to those who watch it at this
// moment. It keeps the last of each topic, once for all readers, so that one
// who comes back gets what it missed and one who is slow costs no memory. It
// isn't a store: what came before is the database's to tell.
package live
