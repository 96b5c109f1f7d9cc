// Package drivers is the plain list of sandbox drivers that a server offers. It
// makes them and knows nothing of their insides.
package drivers
