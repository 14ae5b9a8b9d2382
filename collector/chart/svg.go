package chart

import (
	"bytes"
	"encoding/xml"
	"io"
	"regexp"
	"strings"
)

// writeSVG writes what the library has drawn, without what a strict page forbids: each inline style becomes the
// attributes of the same names. The fonts have others of the same widths behind them, and lengths are pixels.
func writeSVG(w io.Writer, drawing io.WriterTo, title string) error {
	var buffer bytes.Buffer
	if _, err := drawing.WriteTo(&buffer); err != nil {
		return err
	}
	text := inlineStyle.ReplaceAllFunc(buffer.Bytes(), attributes)
	text = pointSize.ReplaceAll(text, []byte(`width="$1" height="$2"`))
	text = comment.ReplaceAll(text, nil)
	if title != "" {
		var name bytes.Buffer
		if err := xml.EscapeText(&name, []byte(title)); err != nil {
			return err
		}
		text = bytes.Replace(text, []byte(xlink), []byte(xlink+"\n<title>"+name.String()+"</title>"), 1)
	}
	_, err := w.Write(text)
	return err
}

const xlink = `xmlns:xlink="http://www.w3.org/1999/xlink">`

var (
	inlineStyle = regexp.MustCompile(`style="([^"]*)"`)
	pointSize   = regexp.MustCompile(`width="([0-9.]+)pt" height="([0-9.]+)pt"`)
	comment     = regexp.MustCompile(`<!-- Generated [^>]*-->\n`)
)

// attributes turns style="a:b;c:d" into a="b" c="d".
func attributes(style []byte) []byte {
	var out []string
	for declaration := range strings.SplitSeq(string(inlineStyle.FindSubmatch(style)[1]), ";") {
		name, value, _ := strings.Cut(declaration, ":")
		switch {
		case name == "font-family":
			value += ", Arial, Helvetica, sans-serif"
		case value == "normal" || value == "none" && name == "font-variant":
			continue
		}
		out = append(out, name+`="`+value+`"`)
	}
	return []byte(strings.Join(out, " "))
}
