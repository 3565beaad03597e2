// clickhouse-go over HTTP in each of its compressions; prints what it saw as JSON. Argument: host:port.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

const made = `CREATE TABLE of_go (a UInt64, s LowCardinality(String), c Array(Nullable(String)),
	m Map(String, UInt8), t DateTime64(3)) ENGINE = MergeTree ORDER BY a`

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func story(address string, method clickhouse.CompressionMethod) map[string]any {
	ctx := context.Background()
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr: []string{address}, Protocol: clickhouse.HTTP,
		Compression: &clickhouse.Compression{Method: method},
	})
	must(err)
	defer conn.Close()
	must(conn.Exec(ctx, "DROP TABLE IF EXISTS of_go"))
	must(conn.Exec(ctx, made))
	batch, err := conn.PrepareBatch(ctx, "INSERT INTO of_go")
	must(err)
	x, at := "x", time.UnixMilli(1767225600123).UTC()
	for n := uint64(0); n < 1000; n++ {
		row := map[string]uint8{"k": uint8(n % 7)}
		must(batch.Append(n, fmt.Sprint("low ", n%3), []*string{&x, nil}, row, at))
	}
	must(batch.Send())
	rows, err := conn.Query(ctx, "SELECT a, s, c, m, t FROM of_go WHERE a >= ? ORDER BY a", 500)
	must(err)
	right := 0
	for rows.Next() {
		var a uint64
		var s string
		var c []*string
		var m map[string]uint8
		var t time.Time
		must(rows.Scan(&a, &s, &c, &m, &t))
		same := s == fmt.Sprint("low ", a%3) && *c[0] == x && c[1] == nil && t.Equal(at)
		if same && m["k"] == uint8(a%7) {
			right++
		}
	}
	must(rows.Err())
	empty, err := conn.Query(ctx, "SELECT a FROM of_go WHERE a > 5000")
	must(err)
	_, failed := conn.Query(ctx, "SELECT * FROM nowhere")
	return map[string]any{
		"right": right, "empty": empty.Next(),
		"error": failed != nil && strings.Contains(failed.Error(), "code: 60"),
	}
}

func main() {
	seen := map[string]any{}
	for _, method := range []clickhouse.CompressionMethod{
		clickhouse.CompressionNone, clickhouse.CompressionLZ4, clickhouse.CompressionZSTD,
	} {
		seen[method.String()] = story(os.Args[1], method)
	}
	must(json.NewEncoder(os.Stdout).Encode(seen))
}
