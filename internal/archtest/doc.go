// Package archtest holds the import rules of the house as a test, each with the
// reason beside it. It reads source files and runs nothing, so that files for
// other systems are held to the rules too. It is not for rules about anything
// but imports.
package archtest
