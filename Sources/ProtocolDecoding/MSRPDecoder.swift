internal import CPIM
internal import MSRP
internal import NIOCore

/// Decodes a stretch of an MSRP stream; the fields are those of its last frame.
struct MSRPDecoder: ProtocolDecoder {
    /// One frame as it came.
    private struct Frame {
        var head: FrameHead
        var body: [UInt8] = []
        var end: Continuation?
    }

    let name = "msrp"

    func resembles(_ bytes: [UInt8]) -> Bool { bytes.starts(with: "MSRP ".utf8) }

    func decode(_ bytes: [UInt8]) -> Decoding {
        var parser = FrameParser()
        parser.append(ByteBuffer(bytes: bytes))
        var frames: [Frame] = []
        do {
            while let event = try parser.next() {
                switch event {
                case .head(let head): frames.append(Frame(head: head))
                case .body(let piece): frames[frames.count - 1].body += piece.readableBytesView
                case .end(let flag): frames[frames.count - 1].end = flag
                }
            }
            for frame in frames { try frame.head.validate() }
        } catch {
            return .rejected(
                .init(code: "msrp-\(error.code.rawValue)", offset: error.offset, expected: error.reason)
            )
        }
        let fields = self.fields(of: frames)
        guard parser.isBetweenFrames, !frames.isEmpty else {
            let failure = Decoding.Failure(
                code: "msrp-incomplete",
                offset: bytes.count,
                expected: "the rest of a frame and its end-line"
            )
            return Decoding(verdict: .incomplete, failure: failure, fields: fields)
        }
        return .ok(fields)
    }

    func messages(in stream: [UInt8]) -> [[UInt8]] {
        var parser = FrameParser()
        parser.append(ByteBuffer(bytes: stream))
        var messages: [[UInt8]] = []
        var start = 0
        while let event = try? parser.next() {
            guard case .end = event else { continue }
            let end = stream.count - parser.heldBytes
            messages.append(Array(stream[start..<end]))
            start = end
        }
        // What is left is cut or no frame at all: its decoding says which.
        if start < stream.count { messages.append(Array(stream[start...])) }
        return messages
    }

    private func fields(of frames: [Frame]) -> [JSONValue.Member] {
        var fields: [JSONValue.Member] = [.init("messages", .count(frames.count { $0.end != nil }))]
        guard let frame = frames.last else { return fields }
        let head = frame.head
        fields.append(.init("transaction_id", .string(head.transactionID.text)))
        switch head.startLine {
        case .request(let method):
            fields.append(.init("request", .object([.init("method", .string(method.rawValue))])))
        case .response(let status, let comment):
            let members: [JSONValue.Member] = [
                .init("status", .integer(Int64(status.rawValue))), .init("comment", .string(comment)),
            ]
            fields.append(.init("response", .object(members)))
        }
        fields += [
            .init("to_path", (try? head.toPath()).map { .strings($0.map(\.text)) } ?? .null),
            .init("from_path", (try? head.fromPath()).map { .strings($0.map(\.text)) } ?? .null),
            .init("message_id", .optional((try? head.messageID())?.text)),
            .init("byte_range", .optional((try? head.byteRange())?.text)),
            .init("success_report", .optional((try? head.wantsSuccessReport()).map { $0 ? "yes" : "no" })),
            .init("failure_report", .optional((try? head.failureReport())?.rawValue)),
        ]
        if head.header(named: "Byte-Range") == nil {
            fields.append(.init("byte_range_default", .string(ByteRange.whole.text)))
        }
        if let status = try? head.reportStatus() { fields.append(.init("status_header", .string(status.text))) }
        for (key, header) in [("expires", "Expires"), ("use_nickname", "Use-Nickname")] {
            if let value = head.header(named: header) { fields.append(.init(key, .string(value))) }
        }
        if let end = frame.end {
            fields.append(.init("continuation", .string(String(UnicodeScalar(end.rawValue)))))
            fields.append(.init("more_chunks_follow", .bool(end == .more)))
        }
        return fields + self.bodyFields(of: frame)
    }

    private func bodyFields(of frame: Frame) -> [JSONValue.Member] {
        guard frame.head.hasBody else { return [.init("body_length", .null)] }
        var fields: [JSONValue.Member] = [
            .init("body_length", .count(frame.body.count)), .init("content_type", .optional(frame.head.contentType)),
        ]
        let entity = MIMEEntity(contentType: frame.head.contentType ?? "", body: frame.body)
        switch entity.effectiveMediaType.essence {
        case CPIMMessage.contentType:
            guard let message = try? CPIMMessage(parsing: frame.body) else { break }
            if let request = DispositionRequest(message) {
                fields.append(.init("imdn_requested", .strings(request.kinds.map(\.rawValue))))
            }
            fields.append(.init("text", .optional(String(validating: message.content.body, as: UTF8.self))))
        case _ where entity.effectiveMediaType.type == "multipart":
            if let multipart = try? Multipart(entity) {
                fields.append(.init("multipart_parts", .count(multipart.parts.count)))
            }
        default: break
        }
        return fields
    }
}
