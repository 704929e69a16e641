import AsyncHTTPClient
public import ClientWire
import Crypto
import FoundationEssentials
public import MessagingCore
import NIOCore
import NIOHTTP1

/// How far a transfer has come.
public struct TransferProgress: Sendable, Hashable {
    public var bytes: Int64
    public var total: Int64
}

extension ContinuoClient {
    /// Bytes of one request of an upload.
    static let pieceBytes = 4 << 20
    /// Cuts in a row without a byte of progress after which a transfer is given up.
    static let fruitlessAttempts = 6

    /// Uploads a file, going on after every cut from where the server stands.
    ///
    /// - Parameters:
    ///   - resuming: The handle of an upload of the same file that was begun earlier.
    ///   - began: Told the handle as soon as there is one, to be kept for `resuming`.
    /// - Returns: the complete upload, whose handle a message or the personal area takes.
    public func upload(
        file path: String,
        type: String,
        name: String?,
        resuming: String? = nil,
        began: @Sendable (String) throws -> Void = { _ in },
        progress: @Sendable (TransferProgress) -> Void = { _ in }
    ) async throws -> UploadDocument {
        guard let file = FileHandleForReading(path) else { throw ClientError.storage("\(path) cannot be read") }
        let total = file.size
        var upload = try await startOrResume(resuming, UploadRequest(type: type, name: name, bytes: total))
        try began(upload.id)
        var backoff = Backoff()
        var fruitless = 0
        while !upload.complete {
            progress(TransferProgress(bytes: upload.offset, total: total))
            let before = upload.offset
            do {
                let piece = try file.read(at: upload.offset, count: Self.pieceBytes)
                guard !piece.isEmpty || upload.offset == total else {
                    throw ClientError.storage("\(path) became shorter while it was sent")
                }
                upload = try await append(piece, to: upload)
                backoff.reset()
            } catch let error as ClientError where error.isTemporary || error.code == .conflict {
                try await Task.sleep(for: backoff.next(random: .random(in: 0..<1)))
                if let state = try? await uploadState(upload.id) { upload = state }
                fruitless = upload.offset > before ? 0 : fruitless + 1
                if fruitless >= Self.fruitlessAttempts { throw error }
            }
        }
        progress(TransferProgress(bytes: total, total: total))
        return upload
    }

    private func startOrResume(_ id: String?, _ request: UploadRequest) async throws -> UploadDocument {
        if let id {
            do {
                let upload = try await uploadState(id)
                if upload.bytes == request.bytes { return upload }
            } catch let error as ClientError where error.code == .notFound {
                // Its time was over; it starts anew.
            }
        }
        return try await http.send(.POST, "/v1/uploads", request, as: UploadDocument.self)
    }

    private func uploadState(_ id: String) async throws -> UploadDocument {
        try await http.get("/v1/uploads/\(escaped(id))", as: UploadDocument.self)
    }

    private func append(_ piece: [UInt8], to upload: UploadDocument) async throws -> UploadDocument {
        let fields: HTTPHeaders = ["Upload-Offset": "\(upload.offset)", "Content-Type": "application/octet-stream"]
        let response = try await http.start(
            .PATCH,
            "/v1/uploads/\(escaped(upload.id))",
            fields,
            .bytes(ByteBuffer(bytes: piece))
        )
        do {
            let body = try await response.body.collect(upTo: HTTPCaller.answerBytes)
            return try StrictJSON.decode(UploadDocument.self, from: Data(body.readableBytesView))
        } catch {
            throw ClientError.unreachable("the answer broke off")
        }
    }

    // MARK: Downloads

    /// Downloads a part of a message to a file, going on after cuts; the file appears only when it is whole.
    public func downloadPart(
        _ message: MessageID,
        _ part: Int,
        to path: String,
        sha256: BlobHash?,
        progress: @Sendable (TransferProgress) -> Void = { _ in }
    ) async throws {
        try await download(
            "/v1/messages/\(escaped(message.description))/parts/\(part)",
            to: path,
            sha256: sha256,
            progress: progress
        )
    }

    /// Downloads a file of the personal area.
    public func downloadFile(
        _ file: FileDocument,
        to path: String,
        progress: @Sendable (TransferProgress) -> Void = { _ in }
    ) async throws {
        try await download(
            "/v1/files/\(escaped(file.id))/content",
            to: path,
            sha256: file.sha256,
            progress: progress
        )
    }

    private func download(
        _ source: String,
        to path: String,
        sha256: BlobHash?,
        progress: @Sendable (TransferProgress) -> Void
    ) async throws {
        let partial = path + ".part"
        guard let file = FileHandleForWriting(partial) else {
            throw ClientError.storage("\(partial) cannot be written")
        }
        var tag: String?
        var backoff = Backoff()
        var fruitless = 0
        while true {
            let before = file.size
            do {
                try await receive(source, into: file, &tag, progress)
                break
            } catch let error as ClientError where error.isTemporary {
                fruitless = file.size > before ? 0 : fruitless + 1
                if fruitless >= Self.fruitlessAttempts { throw error }
                try await Task.sleep(for: backoff.next(random: .random(in: 0..<1)))
            }
        }
        if let sha256, try file.sha256() != sha256.description {
            file.remove()
            throw ClientError.unexpected("the bytes are not those that were announced")
        }
        guard file.publish(as: path) else { throw ClientError.storage("\(path) cannot be written") }
    }

    /// Receives what is missing; starts over when the server's bytes are others than before.
    private func receive(
        _ source: String,
        into file: FileHandleForWriting,
        _ tag: inout String?,
        _ progress: @Sendable (TransferProgress) -> Void
    ) async throws {
        var fields: HTTPHeaders = [:]
        // Without the tag of these very bytes, what lies there from an earlier run may be of another file.
        if file.size > 0, let tag {
            fields.add(name: "Range", value: "bytes=\(file.size)-")
            fields.add(name: "If-Range", value: tag)
        }
        let response: HTTPClientResponse
        do {
            response = try await http.start(.GET, source, fields, nil)
        } catch let error as ClientError where error.code?.rawValue == "range-not-satisfiable" {
            return
        }
        tag = response.headers.first(name: "ETag")
        if response.status != .partialContent { try file.truncate() }
        let length = response.headers.first(name: "Content-Length").flatMap { Int64($0) } ?? 0
        let total = file.size + length
        do {
            for try await piece in response.body {
                try file.append(Array(piece.readableBytesView))
                progress(TransferProgress(bytes: file.size, total: total))
            }
        } catch let error as ClientError {
            throw error
        } catch {
            throw ClientError.unreachable("the download broke off")
        }
        guard file.size == total else { throw ClientError.unreachable("the download broke off") }
    }
}

/// A file name made safe: one path component that hides nothing and starts no option.
public func safeFileName(_ name: String?, fallback: String) -> String {
    let last = (name ?? "").split(whereSeparator: { $0 == "/" || $0 == "\\" }).last.map(String.init) ?? ""
    let plain = String(
        last.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F && !$0.properties.isBidiControl }
    )
    var trimmed = plain.drop { $0 == "." || $0 == "-" || $0 == " " }
    while trimmed.utf8.count > 200 { trimmed = trimmed.dropLast() }
    return trimmed.isEmpty ? fallback : String(trimmed)
}
