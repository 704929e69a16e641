import ClientWire
import Crypto
import MessagingCore
import Testing

@testable import AppGateway

/// Uploads and downloads: resumed, ranged, refused, and large.
@Suite("Transfers", .serialized)
struct TransferTests {
    private func stored(
        _ gateway: TestGateway,
        _ user: TestGateway.User,
        _ bytes: [UInt8],
        name: String = "cat.png"
    ) async throws -> FileDocument {
        let upload = try await gateway.upload(user, bytes, name: name)
        let reply = try await gateway.request("POST", "/v1/files", user, json: "{\"upload\":\"\(upload.id)\"}")
        #expect(reply.status == 201, "\(reply.text)")
        return try reply.json(FileDocument.self)
    }

    @Test("ranges, tags, HEAD and safe fields")
    func ranges() async throws {
        try await TestGateway.run { gateway in
            let alice = try await gateway.user("alice")
            let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
            let file = try await stored(gateway, alice, bytes, name: "naïve \u{1F431}.png")
            let path = "/v1/files/\(file.id)/content"
            let whole = try await gateway.request("GET", path, alice)
            #expect(whole.status == 200 && whole.body == bytes)
            #expect(whole.fields["etag"] == "\"\(file.sha256)\"" && whole.fields["accept-ranges"] == "bytes")
            #expect(whole.fields["content-type"] == "image/png" && whole.fields["x-content-type-options"] == "nosniff")
            #expect(whole.fields["content-security-policy"]?.contains("sandbox") == true)
            #expect(
                whole.fields["content-disposition"]?.contains("filename*=UTF-8''na%C3%AFve%20%F0%9F%90%B1.png") == true
            )
            let head = try await gateway.request("HEAD", path, alice)
            #expect(head.status == 200 && head.fields["content-length"] == "100000" && head.body.isEmpty)
            for (range, expected) in [
                ("bytes=0-9", 0..<10), ("bytes=99990-", 99990..<100_000), ("bytes=-1", 99999..<100_000),
                ("bytes=1000-70000", 1000..<70001), ("bytes=5-999999999999", 5..<100_000),
            ] {
                let reply = try await gateway.request("GET", path, alice, fields: [("Range", range)])
                #expect(reply.status == 206 && reply.body == Array(bytes[expected]), "\(range)")
                #expect(
                    reply.fields["content-range"] == "bytes \(expected.lowerBound)-\(expected.upperBound - 1)/100000"
                )
            }
            let outside = try await gateway.request("GET", path, alice, fields: [("Range", "bytes=100000-")])
            #expect(outside.status == 416 && outside.code == "range-not-satisfiable")
            #expect(outside.fields["content-range"] == "bytes */100000")
            let several = try await gateway.request("GET", path, alice, fields: [("Range", "bytes=0-1,5-6")])
            #expect(several.status == 200 && several.body.count == 100_000)
            let same = try await gateway.request(
                "GET",
                path,
                alice,
                fields: [("If-None-Match", "\"x\", \"\(file.sha256)\"")]
            )
            #expect(same.status == 304 && same.body.isEmpty && same.fields["etag"] != nil)
            let other = [("Range", "bytes=0-9"), ("If-Range", "\"other\"")]
            #expect(try await gateway.request("GET", path, alice, fields: other).status == 200)
            let right = [("Range", "bytes=0-9"), ("If-Range", "\"\(file.sha256)\"")]
            #expect(try await gateway.request("GET", path, alice, fields: right).status == 206)

            let eve = try await gateway.user("eve")
            #expect(try await gateway.request("GET", path, eve).status == 404)
            #expect(try await gateway.request("GET", path).status == 401)
            #expect(try await gateway.request("DELETE", "/v1/files/\(file.id)", alice).status == 204)
            #expect(try await gateway.request("GET", path, alice).status == 404)
        }
    }

    @Test(
        "what a page could run or be styled by is bytes without a type",
        arguments: [
            "text/javascript", "application/x-javascript", "Text/ECMAScript; charset=utf-8", "text/jscript", "text/css",
        ]
    )
    func programs(_ type: String) async throws {
        try await TestGateway.run { gateway in
            let alice = try await gateway.user("alice")
            let id = messageID()
            let parts = "[{\"text\":\"alert(1)\",\"type\":\"\(type)\",\"name\":\"a.js\"}]"
            let body = "{\"id\":\"\(id)\",\"to\":[\"alice@a.example\"],\"parts\":\(parts)}"
            #expect(try await gateway.request("POST", "/v1/messages", alice, json: body).status == 201)
            let reply = try await gateway.request("GET", "/v1/messages/\(id)/parts/0", alice)
            #expect(reply.status == 200 && reply.text == "alert(1)")
            #expect(reply.fields["content-type"] == "application/octet-stream")
            #expect(reply.fields["x-content-type-options"] == "nosniff")
        }
    }

    @Test("text parts are served as bytes too")
    func textPart() async throws {
        try await TestGateway.run { gateway in
            let alice = try await gateway.user("alice")
            let id = messageID()
            let parts = "[{\"text\":\"<script>grüezi</script>\",\"type\":\"text/html\",\"name\":\"a.html\"}]"
            let body = "{\"id\":\"\(id)\",\"to\":[\"alice@a.example\"],\"parts\":\(parts)}"
            #expect(try await gateway.request("POST", "/v1/messages", alice, json: body).status == 201)
            let reply = try await gateway.request("GET", "/v1/messages/\(id)/parts/0", alice)
            #expect(reply.status == 200 && reply.text == "<script>grüezi</script>")
            #expect(reply.fields["content-type"] == "text/html; charset=utf-8")
            #expect(reply.fields["content-disposition"]?.hasPrefix("attachment;") == true)
            let hash = SHA256.hash(data: reply.body).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            #expect(reply.fields["etag"] == "\"\(hash)\"")
            let range = try await gateway.request(
                "GET",
                "/v1/messages/\(id)/parts/0",
                alice,
                fields: [("Range", "bytes=1-6")]
            )
            #expect(range.status == 206 && range.text == "script")
        }
    }

    @Test("an upload resumes after a cut, and refuses wrong offsets and too many bytes")
    func resume() async throws {
        try await TestGateway.run { gateway in
            let alice = try await gateway.user("alice")
            let eve = try await gateway.user("eve")
            let bytes = (0..<900_000).map { UInt8(truncatingIfNeeded: $0 &* 17 >> 4) }
            let started = try await gateway.request(
                "POST",
                "/v1/uploads",
                alice,
                json: "{\"type\":\"video/mp4\",\"bytes\":\(bytes.count)}"
            )
            #expect(started.status == 201 && started.fields["upload-offset"] == "0")
            let path = "/v1/uploads/\(try started.json(UploadDocument.self).id)"
            #expect(started.fields["location"] == path)

            // Cut in the middle of a piece.
            let cut = try await RawConnection(port: gateway.port)
            try await cut.send(
                Array(
                    ("PATCH \(path) HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(alice.token)\r\n"
                        + "Upload-Offset: 0\r\nContent-Length: \(bytes.count)\r\n\r\n").utf8
                ) + bytes[..<700_000]
            )
            try await Task.sleep(for: .milliseconds(300))
            await cut.close()
            // All that came is kept.
            var offset: Int64 = 0
            for _ in 0..<100 where offset < 700_000 {
                try await Task.sleep(for: .milliseconds(20))
                let head = try await gateway.request("HEAD", path, alice)
                offset = head.fields["upload-offset"].flatMap { Int64($0) } ?? 0
            }
            #expect(offset == 700_000)
            #expect(try await gateway.request("GET", path, alice).json(UploadDocument.self).offset == offset)

            func patch(_ user: TestGateway.User, _ at: String?, _ body: [UInt8]) async throws -> Reply {
                let fields = at.map { [("Upload-Offset", $0)] } ?? []
                return try await gateway.request("PATCH", path, user, body: body, fields: fields)
            }
            let wrong = try await patch(alice, "\(offset + 1)", [1, 2, 3])
            #expect(wrong.status == 409 && wrong.code == "conflict" && wrong.fields["upload-offset"] == "\(offset)")
            for bad in [nil, "", "-1", "x", "9223372036854775807", "1e3", "99999999999999999999"] {
                let reply = try await patch(alice, bad, [1])
                #expect(reply.status == 400 && reply.code == "invalid-request", "\(bad ?? "none"): \(reply.text)")
            }
            #expect(try await patch(eve, "\(offset)", [1]).status == 404)
            let beyond = try await patch(alice, "\(offset)", bytes + [1])
            #expect(beyond.status == 413 && beyond.code == "too-large", "\(beyond.text)")
            let again = try await gateway.request("GET", path, alice).json(UploadDocument.self).offset
            let rest = try await patch(alice, "\(again)", Array(bytes[Int(again)...]))
            #expect(rest.status == 200, "\(rest.text)")
            let done = try rest.json(UploadDocument.self)
            let hash = SHA256.hash(data: bytes).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            #expect(done.complete && done.sha256?.description == hash)
            let more = try await patch(alice, "\(bytes.count)", [1])
            #expect(more.status == 409, "\(more.text)")
            #expect(try await gateway.request("DELETE", path, alice).status == 204)
            #expect(try await gateway.request("GET", path, alice).status == 404)
        }
    }

    @Test("a piece that is too large is refused before and while it comes")
    func oversizePiece() async throws {
        var limits = GatewayLimits()
        limits.uploadPieceBytes = 100_000
        try await TestGateway.run(limits: limits) { gateway in
            let alice = try await gateway.user("alice")
            let started = try await gateway.request(
                "POST",
                "/v1/uploads",
                alice,
                json: "{\"type\":\"video/mp4\",\"bytes\":10000000}"
            )
            let path = "/v1/uploads/\(try started.json(UploadDocument.self).id)"
            let head =
                "PATCH \(path) HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(alice.token)\r\nUpload-Offset: 0\r\n"
            let announced = try await RawConnection(port: gateway.port)
            try await announced.send(head + "Content-Length: 100001\r\n\r\n")
            let first = try await announced.reply()
            #expect(first.status == 413 && first.fields["connection"] == "close")
            let chunked = try await RawConnection(port: gateway.port)
            try await chunked.send(head + "Transfer-Encoding: chunked\r\n\r\n")
            for _ in 0..<4 { try? await chunked.send("8000\r\n" + String(repeating: "x", count: 0x8000) + "\r\n") }
            #expect(try await chunked.reply().status == 413)
            #expect(try await chunked.closes())
        }
    }

    @Test("200 MB go up and come down in flat memory")
    func large() async throws {
        try await TestGateway.run { gateway in
            let alice = try await gateway.user("alice")
            let size = 200 << 20
            let started = try await gateway.request(
                "POST",
                "/v1/uploads",
                alice,
                json: "{\"type\":\"video/mp4\",\"name\":\"film.mp4\",\"bytes\":\(size)}"
            )
            let id = try started.json(UploadDocument.self).id
            let before = residentBytes()
            var peak = before
            let piece = 16 << 20
            let block = (0..<(1 << 18)).map { UInt8(truncatingIfNeeded: $0 &* 251 >> 2) }
            let connection = try await RawConnection(port: gateway.port)
            var offset = 0
            while offset < size {
                let count = min(piece, size - offset)
                try await connection.send(
                    "PATCH /v1/uploads/\(id) HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(alice.token)\r\n"
                        + "Upload-Offset: \(offset)\r\nContent-Length: \(count)\r\n\r\n"
                )
                for _ in 0..<(count / block.count) {
                    try await connection.send(block)
                    peak = max(peak, residentBytes())
                }
                let reply = try await connection.reply()
                #expect(reply.status == 200, "\(reply.text)")
                offset += count
            }
            let file = try await gateway.request("POST", "/v1/files", alice, json: "{\"upload\":\"\(id)\"}")
            #expect(file.status == 201, "\(file.text)")

            // All but the first and last byte, as one range.
            try await connection.send(
                "GET /v1/files/\(id)/content HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(alice.token)\r\n"
                    + "Range: bytes=1-\(size - 2)\r\n\r\n"
            )
            let head = try await connection.take { Reply.parse($0, toHead: true) }
            #expect(head.status == 206 && head.fields["content-length"] == "\(size - 2)")
            var read = 0
            var isRight = true
            while read < size - 2 {
                let bytes = connection.takeAll()
                if bytes.isEmpty {
                    #expect(!connection.isClosed)
                    if connection.isClosed { break }
                    try await Task.sleep(for: .milliseconds(1))
                }
                for (index, byte) in bytes.enumerated().prefix(64) where byte != block[(read + index + 1) % block.count]
                {
                    isRight = false
                }
                read += bytes.count
                peak = max(peak, residentBytes())
            }
            #expect(read == size - 2 && isRight)
            // Other tests run in this process too: the bound says that nothing near the whole was held.
            let grown = peak - before
            #expect(grown < 100 << 20, "\(grown >> 20) MiB")
            await connection.close()
        }
    }
}
