package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/admin"
)

func eventsCommand() *cobra.Command {
	var connect func() (*caller, error)
	var follow bool
	var level string
	c := &cobra.Command{
		Use:   "events",
		Short: "List the last events; with -f, follow them",
		Long:  "List the last events that CONTROL keeps. With -f, go on until Ctrl-C, also over an upgrade of CONTROL.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			least, err := messages.ParseLevel(level)
			if err != nil {
				return usageError(fmt.Errorf("--level: %w", err))
			}
			c, err := connect()
			if err != nil {
				return err
			}
			var kept struct {
				admin.EventsAnswer
				Events []jsonText `json:"events"`
			}
			if _, err := c.get(cmd.Context(), "/api/v1/events?level="+least.String(), &kept); err != nil {
				return err
			}
			for _, text := range kept.Events {
				e, err := readEvent(text)
				if err != nil {
					return err
				}
				c.printEvent(e)
			}
			if !follow {
				return nil
			}
			err = c.follow(cmd.Context(), kept.LastEvent, least, func(e event) bool { c.printEvent(e); return false })
			if errors.Is(err, context.Canceled) {
				return nil // by Ctrl-C
			}
			return err
		},
	}
	c.Flags().BoolVarP(&follow, "follow", "f", false, "print further events as they come")
	c.Flags().StringVar(&level, "level", messages.LevelInfo.String(), "lowest level to show: debug, info, warn or error")
	c.Flags().Bool(masterFlag, false, "ask the MASTER that runs on this machine")
	connect = connectFlags(c)
	return c
}

// jsonText is a piece of JSON as it came.
type jsonText []byte

// UnmarshalJSON is part of json.Unmarshaler.
func (t *jsonText) UnmarshalJSON(b []byte) error { *t = slices.Clone(b); return nil }

// printEvent prints an event on one line: time, level, name and fields.
func (c *caller) printEvent(e event) {
	if c.json {
		fmt.Fprintln(c.out, string(e.text))
		return
	}
	if e.gap {
		fmt.Fprintln(c.out, "… some events are no longer kept …")
		return
	}
	_, _ = io.WriteString(c.out, eventLine(e))
}

func eventLine(e event) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %-5s %s", e.field["at"], e.field["level"], e.name)
	for _, name := range slices.Sorted(maps.Keys(e.field)) {
		switch name {
		case "id", "at", "event", "level", "machine":
			continue
		}
		if e.field[name] == nil {
			continue
		}
		value := fmt.Sprint(e.field[name])
		if strings.ContainsAny(value, " \n\"") {
			value = fmt.Sprintf("%q", value)
		}
		fmt.Fprintf(&b, " %s=%s", name, value)
	}
	b.WriteByte('\n')
	return b.String()
}
