"""SQLAlchemy over clickhouse-connect's dialect; prints what it saw as JSON. Argument: host:port."""

import json
import sys

import sqlalchemy as sa
from clickhouse_connect.cc_sqlalchemy.datatypes.sqltypes import String, UInt64
from clickhouse_connect.cc_sqlalchemy.ddl.tableengine import MergeTree

engine = sa.create_engine(f"clickhousedb://default:any@{sys.argv[1]}/default")
metadata = sa.MetaData()
table = sa.Table(
    "of_sqlalchemy", metadata,
    sa.Column("a", UInt64), sa.Column("s", String), MergeTree(order_by="a"),
)  # fmt: skip
metadata.drop_all(engine)
metadata.create_all(engine)
seen: dict[str, object] = {}
with engine.begin() as connection:
    connection.execute(sa.insert(table), [{"a": n, "s": f"text {n}"} for n in range(1000)])
    counted = sa.select(sa.func.count(), sa.func.max(table.c.a)).where(table.c.s != "text 0")
    seen["rows"] = list(connection.execute(counted).one())
    seen["empty"] = connection.execute(sa.select(table).where(table.c.a > 5000)).all()
    connection.execute(sa.text("CREATE TEMPORARY TABLE kept (a UInt8)"))
    connection.execute(sa.text("INSERT INTO kept VALUES (1)"))
    seen["kept"] = connection.execute(sa.text("SELECT a FROM kept")).scalar()
    try:
        connection.execute(sa.text("SELECT * FROM nowhere"))
    except sa.exc.DBAPIError as error:
        seen["error"] = "Code: 60." in str(error)
seen["reflected"] = [str(column["name"]) for column in sa.inspect(engine).get_columns(table.name)]
print(json.dumps(seen))
