"""Faults as systems send them, by the group that a person would put them in.

Each group: HTTP status, the line that names it, and faults of it that differ in what does not matter.
"""

from typing import NamedTuple


class Group(NamedTuple):
    """What one kind of failure is called, and how it may look."""

    status: int
    message: str
    faults: tuple[str, ...]


JAVA = (
    Group(
        500,
        'NullPointerException: Cannot invoke "Customer.getEmail()" because "customer" is null',
        (
            r'{"status": 500, "exception": "NullPointerException", "message": "Cannot invoke'
            r' \"Customer.getEmail()\" because \"customer\" is null", "stack": ["at com.example.sync'
            r'.CustomerMapper.map(CustomerMapper.java:43)"]}',
            r'{"status": 500, "exception": "NullPointerException", "message": "Cannot invoke'
            r' \"Customer.getEmail()\" because \"customer\" is null", "stack": []}',
        ),
    ),
    Group(
        0,
        'java.lang.NullPointerException: Cannot invoke "Order.getTotal()" because "order" is null',
        (
            'java.lang.NullPointerException: Cannot invoke "Order.getTotal()" because "order" is null\n'
            "\tat com.example.OrderMapper.map(OrderMapper.java:43)\n\tat java.base/java.lang.Thread.run",
            'java.lang.NullPointerException: Cannot invoke "Order.getTotal()" because "order" is null\n'
            "\tat com.example.OrderMapper.map(OrderMapper.java:51)",
        ),
    ),
    Group(
        0,
        "java.lang.NumberFormatException: For input string: *",
        (
            'java.lang.NumberFormatException: For input string: "12,50"\n\tat java.lang.Integer.parseInt',
            'java.lang.NumberFormatException: For input string: "abc"\n\tat java.lang.Integer.parseInt',
        ),
    ),
    Group(
        0,
        "java.net.SocketTimeoutException: Connect to * timed out",
        (
            "java.net.SocketTimeoutException: Connect to erp.example.com:443 timed out",
            "java.net.SocketTimeoutException: Connect to 10.1.17.4:8443 timed out",
        ),
    ),
    Group(
        0,
        "class com.example.sync.Price cannot be cast to class java.lang.String"
        " (com.example.sync.Price is in unnamed module of loader 'app')",
        (
            "class com.example.sync.Price cannot be cast to class java.lang.String"
            " (com.example.sync.Price is in unnamed module of loader 'app')",
        ),
    ),
    Group(
        500,
        "No value present for com.example.stock.StockLevel",
        (
            '{"timestamp":"2026-11-24T08:13:21.616+00:00","status":500,"error":"Internal Server Error",'
            '"message":"No value present for com.example.stock.StockLevel@1b2c3d4e","path":"/stock/17"}',
            '{"timestamp":"2026-11-25T11:00:00.001+00:00","status":500,"error":"Internal Server Error",'
            '"message":"No value present for com.example.stock.StockLevel@abcdef01","path":"/stock/9"}',
        ),
    ),
)
PYTHON = (
    Group(
        0,
        "KeyError: 'sku'",
        (
            'Traceback (most recent call last):\n  File "/app/sync.py", line 88, in run\n'
            "    price = item['sku']\nKeyError: 'sku'\n",
            'Traceback (most recent call last):\n  File "/app/sync.py", line 91, in run\n'
            "    price = item['sku']\nKeyError: 'sku'",
        ),
    ),
    Group(
        404,
        "requests.exceptions.HTTPError: 404 Client Error: Not Found for url: *",
        (
            "requests.exceptions.HTTPError: 404 Client Error: Not Found for url:"
            " https://api.example.com/v1/orders/4711?expand=lines",
            "requests.exceptions.HTTPError: 404 Client Error: Not Found for url:"
            " http://10.0.0.7/v1/orders/12",
        ),
    ),
    Group(
        0,
        "ValueError: invalid literal for int() with base 10: *",
        (
            "ValueError: invalid literal for int() with base 10: '12.50'",
            "ValueError: invalid literal for int() with base 10: 'none'",
        ),
    ),
    Group(
        0,
        "AttributeError: 'NoneType' object has no attribute 'price'",
        ("AttributeError: 'NoneType' object has no attribute 'price'",),
    ),
    Group(
        0,
        "AttributeError: 'NoneType' object has no attribute 'email'",
        ("{\"error\": \"AttributeError: 'NoneType' object has no attribute 'email'\"}",),
    ),
    Group(
        422,
        "value_error.missing: field required",
        (
            '{"status_code": 422, "detail": [{"loc": ["body", "lines", 0, "sku"], "msg": "field required",'
            ' "type": "value_error.missing"}]}',
            '{"status_code": 422, "detail": [{"loc": ["body", "lines", 7, "sku"], "msg": "field required",'
            ' "type": "value_error.missing"}]}',
        ),
    ),
)
DOTNET = (
    Group(
        0,
        "System.NullReferenceException: Object reference not set to an instance of an object.",
        (
            "System.NullReferenceException: Object reference not set to an instance of an object.\r\n"
            "   at Shop.Sync.Run(Int32 id) in C:\\src\\Sync.cs:line 42",
            '{"ExceptionType": "System.NullReferenceException", "ExceptionMessage": "Object reference not'
            ' set to an instance of an object.", "StackTrace": "   at Shop.Sync.Run(Int32 id)"}',
        ),
    ),
    Group(
        400,
        "One or more validation errors occurred. Email: The Email field is required.",
        (
            '{"type":"https://tools.ietf.org/html/rfc9110#section-15.5.1","title":"One or more validation'
            ' errors occurred.","status":400,"errors":{"Email":["The Email field is required."]},'
            '"traceId":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"}',
            '{"type":"https://tools.ietf.org/html/rfc9110#section-15.5.1","title":"One or more validation'
            ' errors occurred.","status":400,"errors":{"Email":["The Email field is required."]},'
            '"traceId":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"}',
        ),
    ),
    Group(
        0,
        "System.Data.SqlClient.SqlException (*): Violation of PRIMARY KEY constraint 'PK_Orders'. Cannot"
        " insert duplicate key in object 'dbo.Orders'. The duplicate key value is (*).",
        (
            "System.Data.SqlClient.SqlException (0x80131904): Violation of PRIMARY KEY constraint"
            " 'PK_Orders'. Cannot insert duplicate key in object 'dbo.Orders'. The duplicate key value is"
            " (4711).",
            "System.Data.SqlClient.SqlException (0x80131904): Violation of PRIMARY KEY constraint"
            " 'PK_Orders'. Cannot insert duplicate key in object 'dbo.Orders'. The duplicate key value is"
            " (4712).",
        ),
    ),
)
NODE = (
    Group(
        0,
        "TypeError: Cannot read properties of undefined (reading 'price')",
        (
            '{"name":"TypeError","message":"Cannot read properties of undefined (reading \'price\')",'
            '"stack":"TypeError: Cannot read properties of undefined\\n    at sync (/app/a.js:10:5)"}',
            "TypeError: Cannot read properties of undefined (reading 'price')\n    at sync (/app/a.js:9:1)",
        ),
    ),
    Group(
        0,
        "connect ECONNREFUSED *",
        (
            '{"errno":-111,"code":"ECONNREFUSED","syscall":"connect","address":"10.0.0.5","port":5432,'
            '"message":"connect ECONNREFUSED 10.0.0.5:5432"}',
            '{"errno":-111,"code":"ECONNREFUSED","syscall":"connect","address":"::1","port":5432,'
            '"message":"connect ECONNREFUSED ::1:5432"}',
        ),
    ),
    Group(
        404,
        "AxiosError: Request failed with status code 404",
        (
            '{"message":"Request failed with status code 404","name":"AxiosError",'
            '"code":"ERR_BAD_REQUEST","status":404,"config":{"url":"/orders/1"}}',
            '{"message":"Request failed with status code 404","name":"AxiosError",'
            '"code":"ERR_BAD_REQUEST","status":404,"config":{"url":"/orders/2"}}',
        ),
    ),
    Group(
        0,
        "SyntaxError: Unexpected token * is not valid JSON",
        (
            "SyntaxError: Unexpected token '<', \"<!DOCTYPE html>\" is not valid JSON",
            "SyntaxError: Unexpected token 'u', \"upstream error\" is not valid JSON",
        ),
    ),
    Group(
        0,
        "getaddrinfo ENOTFOUND *",
        (
            '{"code":"ENOTFOUND","message":"getaddrinfo ENOTFOUND pos-37.stores.example"}',
            '{"code":"ENOTFOUND","message":"getaddrinfo ENOTFOUND pos-4.stores.example"}',
        ),
    ),
)
SQL = (
    Group(
        0,
        'duplicate key value violates unique constraint "users_email_key"',
        (
            '{"code":"23505","message":"duplicate key value violates unique constraint'
            ' \\"users_email_key\\"","detail":"Key (email)=(anna@example.com) already exists."}',
            '{"code":"23505","message":"duplicate key value violates unique constraint'
            ' \\"users_email_key\\"","detail":"Key (email)=(bo@example.com) already exists."}',
        ),
    ),
    Group(
        0,
        "Key (email)=(*) already exists.",
        ("Key (email)=(anna@example.com) already exists.", "Key (email)=(bo) already exists."),
    ),
    Group(
        0,
        "Error 1062 (23000): Duplicate entry * for key 'users.email'",
        (
            "Error 1062 (23000): Duplicate entry 'anna@example.com' for key 'users.email'",
            "Error 1062 (23000): Duplicate entry 'bo' for key 'users.email'",
        ),
    ),
    Group(
        0,
        "ORA-00001: unique constraint (SHOP.PK_ORDERS) violated",
        ("ORA-00001: unique constraint (SHOP.PK_ORDERS) violated",),
    ),
    Group(
        0,
        'relation "order_lines" does not exist at character *',
        (
            'relation "order_lines" does not exist at character 15',
            'relation "order_lines" does not exist at character 178',
        ),
    ),
    Group(
        0,
        "SQLSTATE[HY000] [2002] Connection refused",
        ("SQLSTATE[HY000] [2002] Connection refused",),
    ),
    Group(
        0,
        "Deadlock found when trying to get lock; try restarting transaction",
        ("Deadlock found when trying to get lock; try restarting transaction",),
    ),
    Group(
        0,
        "E11000 duplicate key error collection: shop.orders index: order_id_1 dup key: { order_id: * }",
        (
            "E11000 duplicate key error collection: shop.orders index: order_id_1 dup"
            ' key: { order_id: "A-1" }',
            "E11000 duplicate key error collection: shop.orders index: order_id_1 dup"
            ' key: { order_id: "B-77" }',
        ),
    ),
)
GATEWAYS = (
    Group(
        502,
        "502 Bad Gateway",
        (
            "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1>"
            "</center><hr><center>nginx</center></body></html>",
            "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center>"
            "<h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx/1.25.3</center>\r\n</body></html>\r\n",
            "502 Bad Gateway",
        ),
    ),
    Group(
        522,
        "example.com | 522: Connection timed out".replace("example.com", "*"),
        (
            "<!DOCTYPE html><html><head><title>shop.example.com | 522: Connection timed out</title>",
            "<!DOCTYPE html><html><head><title>api.example.org | 522: Connection timed out</title>",
        ),
    ),
    Group(
        503,
        "no healthy upstream after * ms",
        (
            '{"status": 503, "error": "Service Unavailable", "message": "no healthy upstream after 23797'
            ' ms", "requestId": "3ceb0831-8744-ee92-6d93-36c0f9c4b930"}',
            '{"status": 503, "error": "Service Unavailable", "message": "no healthy upstream after 987 ms",'
            ' "requestId": "3a3eee8a-e982-6776-dce0-d0ce2de264cf"}',
        ),
    ),
    Group(
        504,
        "timeout of * exceeded",
        (
            '{"status": 504, "message": "timeout of 30000ms exceeded", "host": "pos-37.stores.example"}',
            '{"status": 504, "message": "timeout of 1001ms exceeded"}',
        ),
    ),
    Group(
        429,
        "Exceeded * calls per second for api client",
        (
            '{"status": 429, "error": "Too Many Requests", "message": "Exceeded 40 calls per second for api'
            ' client", "retry_after": 14}',
            '{"status": 429, "error": "Too Many Requests", "message": "Exceeded 2 calls per second for api'
            ' client", "retry_after": 6}',
        ),
    ),
    Group(503, "HTTP 503 from gateway", ("HTTP 503 from gateway",)),
    Group(403, "Forbidden", ('{"message":"Forbidden","statusCode":"403"}',)),
)
APIS = (
    Group(
        422,
        "email: * has already been taken",
        (
            '{"status": 422, "errors": {"email": ["user3210@example.com has already been taken"]}}',
            '{"status": 422, "errors": {"email": ["user3163@example.com has already been taken"]}}',
        ),
    ),
    Group(
        0,
        "base: Line items price can't be blank",
        ('{"errors":{"base":["Line items price can\'t be blank"]}}',),
    ),
    Group(0, "Not Found", ('{"errors":"Not Found"}', '{"error":"Not Found"}')),
    Group(
        0,
        "INVALID_FIELD: No such column 'Loyalty__c' on entity 'Account'.",
        (
            "[{\"message\":\"No such column 'Loyalty__c' on entity 'Account'.\","
            '"errorCode":"INVALID_FIELD"}]',
        ),
    ),
    Group(
        0,
        "ENTITY_IS_DELETED: entity is deleted",
        ('[{"errorCode":"ENTITY_IS_DELETED","message":"entity is deleted","fields":[]}]',),
    ),
    Group(
        0,
        "Sales order * is locked by user *",
        (
            '{"error":{"code":"V1/042","message":{"lang":"en","value":"Sales order 4711 is locked by user'
            ' MEIER7712"},"innererror":{"transactionid":"5F3B"}}}',
            '{"error":{"code":"V1/042","message":{"lang":"en","value":"Sales order 23 is locked by user'
            ' ADMIN0042"},"innererror":{"transactionid":"77AA"}}}',
        ),
    ),
    Group(
        404,
        "NOT_FOUND: Requested entity was not found.",
        (
            '{"error":{"code":404,"message":"Requested entity was not found.","status":"NOT_FOUND"}}',
        ),
    ),
    Group(
        0,
        "resource_missing: No such customer: *",
        (
            '{"error":{"code":"resource_missing","message":"No such customer: \'cus_9s6XKzkNRiz8i3\'",'
            '"param":"customer","type":"invalid_request_error"}}',
            '{"error":{"code":"resource_missing","message":"No such customer: \'cus_NffrFeUfNV2Hib\'",'
            '"param":"customer","type":"invalid_request_error"}}',
        ),
    ),
    Group(
        422,
        "First name must contain at least two characters.",
        (
            '{"errors":[{"status":"422","source":{"pointer":"/data/attributes/firstName"},"title":"Invalid'
            ' Attribute","detail":"First name must contain at least two characters."}]}',
        ),
    ),
    Group(
        0,
        'Cannot query field "prize" on type "Product".',
        (
            '{"data":null,"errors":[{"message":"Cannot query field \\"prize\\" on type \\"Product\\".",'
            '"locations":[{"line":3,"column":5}]}]}',
            '{"data":null,"errors":[{"message":"Cannot query field \\"prize\\" on type \\"Product\\".",'
            '"locations":[{"line":30,"column":1}]}]}',
        ),
    ),
    Group(
        0,
        "invalid_grant: The refresh token has expired",
        ('{"error":"invalid_grant","error_description":"The refresh token has expired"}',),
    ),
    Group(
        0,
        "ThrottlingException: Rate exceeded",
        ('{"__type":"ThrottlingException","message":"Rate exceeded"}',),
    ),
    Group(
        0,
        "index_not_found_exception: no such index [products]",
        (
            '{"error":{"root_cause":[{"type":"index_not_found_exception","reason":"no such index'
            ' [products]"}],"type":"index_not_found_exception","reason":"no such index [products]"}}',
        ),
    ),
    Group(
        0,
        "Failed to resolve API Key variable",
        (
            '{"fault":{"faultstring":"Failed to resolve API Key variable",'
            '"detail":{"errorcode":"steps.oauth.v2.FailedToResolveAPIKey"}}}',
        ),
    ),
)
XML = (
    Group(
        0,
        "Server was unable to process request. Order * not found",
        (
            '<?xml version="1.0"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">'
            "<soap:Body><soap:Fault><faultcode>soap:Server</faultcode><faultstring>Server was unable to"
            " process request. Order 4711 not found</faultstring></soap:Fault></soap:Body></soap:Envelope>",
            "<soap:Envelope><soap:Body><soap:Fault><faultcode>soap:Server</faultcode>"
            '<faultstring xml:lang="en">'
            "Server was unable to process request. Order 23 not found</faultstring></soap:Fault></soap:Body>",
        ),
    ),
    Group(
        0,
        "Processing error: item 'price' < 0".replace("0", "*"),
        (
            "<env:Envelope><env:Body><env:Fault><env:Code><env:Value>env:Sender</env:Value></env:Code>"
            "<env:Reason><env:Text xml:lang=\"en\">Processing error: item 'price' &lt; 0</env:Text>"
            "</env:Reason></env:Fault></env:Body></env:Envelope>",
        ),
    ),
    Group(
        0,
        "The specified key does not exist.",
        (
            "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message>"
            "<Key>orders/1.json</Key><RequestId>4442587FB7D0A2F9</RequestId></Error>",
        ),
    ),
)
TEXTS = (
    Group(0, "Broken JSON with id", ('{"id":"12\\"}', '{"id":"13"')),
    Group(
        503,
        "Stock of * is locked",
        ('{"status": 503, "message": "Stock of 1042 is locked", "trace": "java.lang.Ill',),
    ),
    Group(0, "JSON without a message: id, reference", ('{"id": "12", "reference": "4711"}',)),
    Group(0, "Order * of * was not sent", ("Order 4711 of anna@example.com was not sent",)),
    Group(0, "line1 and address2 are empty", ("line1 and address2 are empty",)),
    Group(0, "Certificate of * expired on *", ("Certificate of shop.de expired on 2026-11-24",)),
    Group(0, "Stores * are closed", ("Stores 4, 7, 12 are closed", "Stores 1 are closed")),
    Group(
        0,
        "Bestellung * für Müller\N{REPLACEMENT CHARACTER} fehlt",
        ("Bestellung 7 für Müller\udcff fehlt",),
    ),
    Group(0, "", ("",)),
)
GROUPS = (*JAVA, *PYTHON, *DOTNET, *NODE, *SQL, *GATEWAYS, *APIS, *XML, *TEXTS)
