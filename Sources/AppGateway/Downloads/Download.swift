import ClientWire
import Crypto
import HTTPTypes
import Hummingbird
import MessagingCore
import MessagingService
import NIOCore

/// Serves the bytes of a part or file: whole or a range, in bounded pieces, never as a page of our origin.
struct Download: Sendable {
    let service: MessagingService
    let limits: GatewayLimits

    /// The answer to a `GET` or `HEAD`.
    /// - Throws: ``GatewayError`` 416 for a range outside.
    func answer(_ source: PartSource, to request: Request) throws -> Response {
        let (tag, size, type, name) = Self.describe(source)
        var fields = Self.safeFields(type: type, name: name)
        fields[.eTag] = tag.text
        fields[.acceptRanges] = "bytes"
        if tag.isAmong(request.headers[.ifNoneMatch]) { return Response(status: .notModified, headers: fields) }
        let asked = tag.permitsRange(request.headers[.ifRange]) ? request.headers[.range] : nil
        // A range is defined for GET alone.
        switch ByteRange(request.method == .get ? asked : nil, size: size) {
        case .whole: return Response(status: .ok, headers: fields, body: body(source, 0..<size))
        case .part(let range):
            fields[.contentRange] = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(size)"
            return Response(status: .partialContent, headers: fields, body: body(source, range))
        case .unsatisfiable:
            throw GatewayError(
                Refusal(.rangeNotSatisfiable, "there are \(size) bytes"),
                fields: [.contentRange: "bytes */\(size)"]
            )
        }
    }

    private static func describe(_ source: PartSource) -> (EntityTag, Int64, type: String, name: String?) {
        switch source {
        case .text(let bytes, let type, let name):
            let hash = SHA256.hash(data: bytes).map { byte in
                let digits = String(byte, radix: 16)
                return digits.utf8.count == 1 ? "0" + digits : digits
            }.joined()
            return (EntityTag(hash: hash), Int64(bytes.count), type, name)
        case .blob(let hash, let bytes, let type, let name):
            return (EntityTag(hash: hash.description), bytes, type, name)
        case .peer(let file): return (EntityTag(hash: file.sha256.description), file.bytes, file.type, file.name)
        }
    }

    /// What a user sent may be a page with a script in it: it is saved, not shown, and shown it could do nothing.
    private static func safeFields(type: String, name: String?) -> HTTPFields {
        [
            .contentType: servedType(type),
            .contentDisposition: ContentDisposition.attachment(name: name),
            .xContentTypeOptions: "nosniff",
            .contentSecurityPolicy: "sandbox; default-src 'none'",
            .cacheControl: "private, no-cache",
        ]
    }

    /// Scripts and styles are bytes without a type: a page that is made to load one by its address does not take it.
    private static func servedType(_ type: String) -> String {
        guard let type = canonicalMediaType(type), type != "text/css",
            !["javascript", "ecmascript", "jscript", "livescript"].contains(where: { type.contains($0) })
        else { return "application/octet-stream" }
        return type.hasPrefix("text/") ? type + "; charset=utf-8" : type
    }

    private func body(_ source: PartSource, _ range: Range<Int64>) -> ResponseBody {
        switch source {
        case .text(let bytes, _, _):
            return ResponseBody(byteBuffer: ByteBuffer(bytes: bytes[Int(range.lowerBound)..<Int(range.upperBound)]))
        case .blob(let hash, _, _, _):
            return pieces(range) { [service] in try await service.readBlob(hash, offset: $0, count: $1) }
        case .peer(let file):
            return pieces(range) { [service] in try await service.readPeerFile(file, offset: $0, count: $1) }
        }
    }

    /// A body that is read as it is sent.
    private func pieces(
        _ range: Range<Int64>,
        _ read: @escaping @Sendable (_ offset: Int64, _ count: Int) async throws -> [UInt8]
    ) -> ResponseBody {
        ResponseBody(contentLength: Int(range.count)) { [limits] writer in
            var offset = range.lowerBound
            while offset < range.upperBound {
                let count = min(Int64(limits.downloadChunkBytes), range.upperBound - offset)
                let bytes = try await read(offset, Int(count))
                // The length is announced: a file that ends early can only end the connection.
                guard !bytes.isEmpty, bytes.count <= count else {
                    throw Refusal(.internalError, "a file is not as long as was said")
                }
                try await writer.write(ByteBuffer(bytes: bytes))
                offset += Int64(bytes.count)
            }
            try await writer.finish(nil)
        }
    }
}
