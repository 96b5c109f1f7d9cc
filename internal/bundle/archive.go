package bundle

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"unicode/utf8"

	"hearth"
)

// format is what an upload is.
type format int

const (
	unknown format = iota
	formatZip
	formatTar
	formatTarGz
	formatSource
)

// sourceExts are the endings of files that are a function by themselves.
var sourceExts = map[string]bool{".py": true, ".js": true, ".mjs": true, ".cjs": true}

// sniff tells what an upload is by its first bytes, and by its name where they
// don't.
func sniff(head []byte, filename string) format {
	ext := strings.ToLower(path.Ext(filename))
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return formatZip
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return formatTarGz
	case len(head) >= 262 && string(head[257:262]) == "ustar":
		return formatTar
	case sourceExts[ext]:
		return formatSource
	case ext == ".zip": // with something in front, as programs that unpack themselves
		return formatZip
	case ext == ".tar": // of before 1988
		return formatTar
	}
	return unknown
}

// archive unpacks an upload.
func (u *unpacker) archive(up *os.File, filename string) error {
	head := make([]byte, 512)
	n, err := io.ReadFull(up, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("unpack upload: %w", err)
	}
	if _, err := up.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("unpack upload: %w", err)
	}
	switch sniff(head[:n], filename) {
	case formatZip:
		return u.zip(up)
	case formatTarGz:
		return u.tarGz(up)
	case formatTar:
		return u.tar(bufio.NewReader(up))
	case formatSource:
		return u.source(up, filename)
	}
	return invalid("send a .zip, a .tar.gz, a .tar, or a single .py, .js, .mjs or .cjs file", "%s is neither an archive nor a source file", quote(path.Base(filename)))
}

// source keeps a single file.
func (u *unpacker) source(up io.Reader, filename string) error {
	name := filename[strings.LastIndexAny(filename, `/\`)+1:]
	// An archive that unpacks to its own size; the ratio has no meaning here.
	if err := u.file(name, false, up); err != nil {
		return err
	}
	b, err := u.root.ReadFile(name)
	if err != nil {
		return fmt.Errorf("unpack upload: %w", err)
	}
	if !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 {
		return invalid("send the source as UTF-8 text, or an archive under its own name", "%s is not a text", quote(name))
	}
	return nil
}

func (u *unpacker) tarGz(up io.Reader) error {
	z, err := gzip.NewReader(bufio.NewReader(up))
	if err != nil {
		return broken("", err)
	}
	// Headers and padding are bytes too: without a bound, a small file could
	// keep the machine busy for a long time with an archive of nothing.
	bound := u.limits.MaxUnpacked + int64(u.limits.MaxFiles)*4*512 + 1<<20
	r := &boundedReader{r: z, left: bound}
	if err := u.tar(r); err != nil {
		return err
	}
	// The check sum is at the end.
	if _, err := io.Copy(io.Discard, ctxReader{u.ctx, r}); err != nil {
		return broken("", err)
	}
	return nil
}

// boundedReader fails when there is more than expected.
type boundedReader struct {
	r    io.Reader
	left int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, hearth.Errorf(hearth.CodeTooLarge, "the archive unpacks to too much").WithHint("leave out what the function doesn't need")
	}
	return n, err
}

// lastBlock remembers the end of what was read.
type lastBlock struct {
	r     io.Reader
	block [512]byte
}

func (l *lastBlock) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if n >= len(l.block) {
		copy(l.block[:], p[n-len(l.block):n])
	} else if n > 0 {
		copy(l.block[:], l.block[n:])
		copy(l.block[len(l.block)-n:], p[:n])
	}
	return n, err
}

func (u *unpacker) tar(r io.Reader) error {
	last := &lastBlock{r: ctxReader{u.ctx, r}, block: [512]byte{1}}
	t := tar.NewReader(last)
	name := ""
	for headers := 0; ; headers++ {
		h, err := t.Next()
		if err == io.EOF {
			// A tar ends in blocks of zeros. One that was cut off between two
			// files would look whole otherwise.
			if last.block != [512]byte{} {
				return broken(name, io.ErrUnexpectedEOF)
			}
			return nil
		}
		if err != nil {
			return broken(name, err)
		}
		if headers > 4*u.limits.MaxFiles {
			return hearth.Errorf(hearth.CodeTooLarge, "the archive has more than %d headers", headers).WithHint("make it anew")
		}
		name = h.Name
		if err := u.tarEntry(h, t); err != nil {
			return err
		}
	}
}

func (u *unpacker) tarEntry(h *tar.Header, r io.Reader) error {
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
		return u.file(h.Name, h.Mode&0o111 != 0, r)
	case tar.TypeDir:
		_, err := u.place(h.Name, dir)
		return err
	case tar.TypeSymlink:
		return u.link(h.Name, h.Linkname)
	case tar.TypeLink:
		return u.hardLink(h.Name, h.Linkname)
	case tar.TypeXGlobalHeader:
		return nil // git archive writes its commit there
	}
	return special(h.Name, h.FileInfo().Mode())
}

// special refuses what is neither file, folder nor link.
func special(name string, mode fs.FileMode) error {
	return invalid("leave it out", "the archive's entry %s is %s, not a file, folder or link", quote(name), modeName(mode))
}

func modeName(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeDevice != 0:
		return "a device"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	}
	return "of a kind that is not known"
}

func (u *unpacker) zip(up *os.File) error {
	if err := u.countZip(up); err != nil {
		return err
	}
	z, err := zip.NewReader(up, u.uploaded)
	if err != nil {
		return broken("", err)
	}
	for _, f := range z.File {
		if err := u.zipEntry(up, f); err != nil {
			return err
		}
	}
	return nil
}

// countZip refuses an archive with far too many entries before its directory,
// which can't be read in part, is taken into memory.
func (u *unpacker) countZip(up *os.File) error {
	limit := 10 * u.limits.MaxFiles // files within may be archives too
	sig := []byte("PK\x01\x02")
	r := io.NewSectionReader(up, 0, u.uploaded)
	buf := make([]byte, 256<<10)
	kept, count := 0, 0
	for more := true; more; {
		n, err := io.ReadFull(r, buf[kept:])
		more = err == nil // a failure is one that zip.NewReader meets as well
		count += bytes.Count(buf[:kept+n], sig)
		if count > limit {
			return hearth.Errorf(hearth.CodeTooLarge, "the archive holds more than %d files and folders", u.limits.MaxFiles).
				WithHint("leave out what the function doesn't need, for example by a .hearthignore file")
		}
		kept = copy(buf, buf[max(0, kept+n-(len(sig)-1)):kept+n])
	}
	return nil
}

func (u *unpacker) zipEntry(up *os.File, f *zip.File) error {
	if f.Flags&1 != 0 {
		return invalid("make it anew without a password", "the archive's entry %s is encrypted", quote(f.Name))
	}
	if err := checkLocalHeader(up, f); err != nil {
		return err
	}
	mode := f.Mode()
	switch {
	case mode.IsDir() || strings.HasSuffix(f.Name, "/"):
		if f.UncompressedSize64 != 0 {
			return invalid("make the archive anew", "the archive's entry %s is a folder with content", quote(f.Name))
		}
		_, err := u.place(f.Name, dir)
		return err
	case mode&fs.ModeSymlink == 0 && !mode.IsRegular():
		return special(f.Name, mode)
	}
	r, err := f.Open()
	if err != nil {
		return broken(f.Name, err)
	}
	defer r.Close()
	if mode.IsRegular() {
		return u.file(f.Name, mode&0o111 != 0, r)
	}
	target, err := io.ReadAll(io.LimitReader(r, maxPath+1))
	if err != nil {
		return broken(f.Name, err)
	}
	return u.link(f.Name, string(target))
}

// checkLocalHeader refuses an entry that the directory at the end of the
// archive calls otherwise than the header in front of its content: programs
// that read the one and the other would unpack different things.
func checkLocalHeader(up *os.File, f *zip.File) error {
	data, err := f.DataOffset()
	if err != nil {
		return broken(f.Name, err)
	}
	const fixed = 30 // bytes of the header before name and extra field
	start := max(0, data-fixed-2*(1<<16))
	b := make([]byte, min(data-start, fixed+int64(len(f.Name))+256))
	for {
		if _, err := up.ReadAt(b, data-int64(len(b))); err != nil {
			return broken(f.Name, err)
		}
		for at := len(b) - fixed; at >= 0; at-- {
			h := b[at:]
			if string(h[:4]) != "PK\x03\x04" {
				continue
			}
			nameLen, extraLen := int(binary.LittleEndian.Uint16(h[26:])), int(binary.LittleEndian.Uint16(h[28:]))
			if fixed+nameLen+extraLen != len(h) {
				continue
			}
			if string(h[fixed:fixed+nameLen]) != f.Name {
				return invalid("make it anew", "the archive's entry %s is called %s in its other header", quote(f.Name), quote(string(h[fixed:fixed+nameLen])))
			}
			return nil
		}
		if int64(len(b)) == data-start {
			return broken(f.Name, zip.ErrFormat)
		}
		b = make([]byte, data-start) // an unusually long header
	}
}
