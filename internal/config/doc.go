// Package config is the configuration of a server: one struct, filled from
// flags, the environment, a file and defaults, in this order of strength, and
// checked with errors that name the setting. It is not the place for the
// settings of functions, nor for those of clients.
package config
