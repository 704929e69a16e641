import HTTPTypes
import MessagingCore
import Testing

@testable import AppGateway

/// Ranges, tags, file names, paths and queries: what a client may write, and what is made of it.
@Suite("Parts of requests")
struct RequestPartsTests {
    @Test(
        "a range is one part, all of it, or outside",
        arguments: [
            (nil, 100, .whole), ("bytes=0-9", 100, .part(0..<10)), ("bytes=90-", 100, .part(90..<100)),
            ("bytes=-10", 100, .part(90..<100)), ("bytes=-200", 100, .part(0..<100)),
            ("bytes=50-500", 100, .part(50..<100)), ("bytes=99-99", 100, .part(99..<100)),
            ("bytes=100-", 100, .unsatisfiable), ("bytes=-0", 100, .unsatisfiable), ("bytes=0-0", 0, .unsatisfiable),
            ("bytes=9-3", 100, .whole), ("bytes=0-1,5-6", 100, .whole), ("chars=0-9", 100, .whole),
            ("bytes=", 100, .whole), ("bytes=-", 100, .whole), ("bytes=a-b", 100, .whole),
            ("BYTES=1-2", 100, .part(1..<3)), ("bytes= 1-2", 100, .part(1..<3)),
            ("bytes=0-99999999999999999999999", 100, .part(0..<100)),
            ("bytes=99999999999999999999999-", 100, .unsatisfiable),
            ("bytes=-99999999999999999999999", 100, .part(0..<100)),
            ("bytes=0-9223372036854775807", Int64.max, .part(0..<Int64.max)),
        ] as [(String?, Int64, ByteRange)]
    )
    func range(_ field: String?, _ size: Int64, _ expected: ByteRange) {
        #expect(ByteRange(field, size: size) == expected)
    }

    @Test(
        "compression is wanted when it is named or any is, and not with the weight 0",
        arguments: [
            (nil, false), ("", false), ("gzip", true), ("gzip, deflate, br", true), ("br;q=1, GZIP ; q=0.5", true),
            ("identity", false), ("*", true), ("*;q=0", false), ("gzip;q=0", false), ("gzip;q=0.000, *", false),
            ("*;q=0, gzip", true), ("gzipped", false),
        ] as [(String?, Bool)]
    )
    func compression(_ field: String?, _ expected: Bool) {
        #expect(AcceptEncoding(field).gzip == expected)
    }

    @Test("tags compare as RFC 9110 says")
    func tags() {
        let tag = EntityTag(hash: "abc")
        #expect(tag.text == "\"abc\"")
        #expect(
            tag.isAmong("\"abc\"") && tag.isAmong("W/\"abc\"") && tag.isAmong("\"x\" , \"abc\"") && tag.isAmong("*")
        )
        #expect(!tag.isAmong(nil) && !tag.isAmong("\"abcd\"") && !tag.isAmong("abc") && !tag.isAmong(""))
        #expect(tag.permitsRange(nil) && tag.permitsRange("\"abc\""))
        #expect(!tag.permitsRange("\"x\"") && !tag.permitsRange("Sun, 06 Nov 1994 08:49:37 GMT"))
    }

    @Test(
        "a file name cannot leave its header field",
        arguments: [
            (nil, "attachment"),
            ("cat.png", "attachment; filename=\"cat.png\"; filename*=UTF-8''cat.png"),
            ("a\"b\\c.txt", "attachment; filename=\"a_b_c.txt\"; filename*=UTF-8''a%22b%5Cc.txt"),
            ("naïve.txt", "attachment; filename=\"na__ve.txt\"; filename*=UTF-8''na%C3%AFve.txt"),
            (
                "x\r\nSet-Cookie: y",
                "attachment; filename=\"x__Set-Cookie_ y\"; filename*=UTF-8''x%0D%0ASet-Cookie%3A%20y"
            ),
            ("../etc/passwd", "attachment; filename=\".._etc_passwd\"; filename*=UTF-8''..%2Fetc%2Fpasswd"),
        ] as [(String?, String)]
    )
    func disposition(_ name: String?, _ expected: String) {
        #expect(ContentDisposition.attachment(name: name) == expected)
    }

    @Test(
        "escapes are decoded strictly",
        arguments: [
            ("plain", "plain"), ("a%20b", "a b"), ("%c3%a9", "é"), ("%", nil), ("%4", nil), ("%zz", nil),
            ("%00", nil), ("%0a", nil), ("%ff", nil), ("a%2Fb", "a/b"), ("", ""),
        ] as [(String, String?)]
    )
    func escapes(_ text: String, _ expected: String?) {
        #expect(percentDecoded(Substring(text)) == expected)
    }

    @Test("a query has known names, once each")
    func query() throws {
        let known = [Operation.Parameter.before, .limit, Operation.Parameter(name: "q", description: "")]
        let query = try Query("q=two+words%21&before=17&limit=3", known: known)
        #expect(query.text("q") == "two words!")
        #expect(try query.number("before") == 17)
        #expect(try query.limit() == 3)
        #expect(try Query(nil, known: known).limit() == 50)
        for bad in [
            "x=1", "q=a&q=b", "q=%", "before=-1", "before=1e3", "before=99999999999999999999", "limit=0", "limit=201",
        ] {
            #expect(throws: Refusal(.invalidRequest, "")) {
                let query = try Query(Substring(bad), known: known)
                _ = try query.number("before")
                _ = try query.limit()
            }
        }
    }

    private static let table = RouteTable(
        [
            ("GET", "/v1/a"), ("POST", "/v1/a"), ("GET", "/v1/a/{id}"), ("GET", "/v1/a/this"),
            ("PUT", "/v1/a/{id}/b/{n}"),
        ].map { method, path in
            Route.open(HTTPRequest.Method(method) ?? .get, path, Operation("x", "x")) { _ in .nothing }
        }
    )

    @Test(
        "paths find their routes",
        arguments: [
            ("GET", "/v1/a", "/v1/a", []), ("GET", "/v1/a/7", "/v1/a/{id}", ["7"]),
            ("GET", "/v1/a/this", "/v1/a/this", []), ("PUT", "/v1/a/x%20y/b/2", "/v1/a/{id}/b/{n}", ["x y", "2"]),
            ("GET", "/v1/a/%2e%2e", "/v1/a/{id}", [".."]),
        ] as [(String, String, String, [String])]
    )
    func routes(_ method: String, _ path: String, _ template: String, _ values: [String]) throws {
        let method = try #require(HTTPRequest.Method(method))
        let (route, found) = try Self.table.route(method, Substring(path))
        #expect(route.path.description == template)
        #expect(found == values)
    }

    @Test(
        "other paths and methods are told apart",
        arguments: [
            ("GET", "/", 404), ("GET", "", 404), ("GET", "v1/a", 404), ("GET", "/v1/a/", 404), ("GET", "//v1/a", 404),
            ("GET", "/v1/a/%", 404), ("GET", "/v1/a/%00", 404), ("DELETE", "/v1/a", 405), ("BREW", "/v1/a", 405),
            ("POST", "/v1/a/this", 405), ("GET", "*", 404),
        ]
    )
    func unknown(_ method: String, _ path: String, _ status: Int) throws {
        let method = try #require(HTTPRequest.Method(method))
        let error = #expect(throws: GatewayError.self) { try Self.table.route(method, Substring(path)) }
        #expect(error?.status == status)
        if path == "/v1/a", status == 405 { #expect(error?.fields[.allow] == "GET, POST") }
    }

    /// Numbers that are the same in every run (SplitMix64).
    private struct Numbers: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
            return mixed ^ mixed >> 31
        }
    }

    @Test("no text makes a parser trap, and what it accepts is within bounds", arguments: [1, 2, 3, 4] as [UInt64])
    func anything(_ seed: UInt64) {
        var numbers = Numbers(state: seed)
        let pieces = [
            "bytes", "=", "-", "0", "9", "18446744073709551615", "9223372036854775807", ",", " ", "%", "%2", "%2F",
            "%00",
            "%FF", "/", "v1", "a", "?", "&", "limit", "before", "+", "\"", "W/", "*", "\u{0}", "é", "\u{1F431}", "\r\n",
        ]
        let known = [Operation.Parameter.before, .limit]
        for _ in 0..<5000 {
            let text = (0..<Int.random(in: 0...8, using: &numbers)).map { _ in
                pieces.randomElement(using: &numbers) ?? ""
            }
            .joined()
            let size = Int64.random(in: 0 ... .max, using: &numbers) >> Int64.random(in: 0...62, using: &numbers)
            if case .part(let range) = ByteRange("bytes=" + text, size: size) {
                #expect(!range.isEmpty && range.lowerBound >= 0 && range.upperBound <= size, "\(text) of \(size)")
            }
            _ = EntityTag(hash: "x").isAmong(text)
            if let decoded = percentDecoded(Substring(text)) {
                #expect(!decoded.unicodeScalars.contains { $0.value < 32 })
            }
            if let query = try? Query(Substring(text), known: known), let limit = try? query.limit() {
                #expect((1...200).contains(limit))
                if let before = try? query.number("before") { #expect(before >= 0) }
            }
            _ = try? Self.table.route(.get, Substring(text))
            #expect(!ContentDisposition.attachment(name: text).utf8.contains { $0 < 32 || $0 > 126 })
        }
    }
}
