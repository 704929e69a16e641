import ClientWire
import HTTPTypes
import Hummingbird
import MessagingCore
import MessagingService
import NIOCore
import NIOHTTP1
import Store

extension ClientRoutes {
    var uploads: [Route] {
        [
            .device(
                .post,
                "/v1/uploads",
                Operation(
                    "startUpload",
                    "Announces an upload.",
                    body: "UploadRequest",
                    .json("UploadDocument", 201, "Send the bytes with PATCH.")
                )
            ) { call, who in
                let upload = try await service.startUpload(who, try await call.exactJSON(UploadRequest.self))
                return try .json(upload, .created, fields: [.uploadOffset: "0", .location: "/v1/uploads/\(upload.id)"])
            },
            .device(
                .get,
                "/v1/uploads/{id}",
                Operation("upload", "How far an upload has come.", .json("UploadDocument"))
            ) { call, who in try state(await service.upload(who, call.value("id"))) },
            .device(
                .head,
                "/v1/uploads/{id}",
                Operation(
                    "uploadHead",
                    "How far an upload has come, in Upload-Offset.",
                    Operation.Answer(status: 200, schema: nil, description: "The offset.")
                )
            ) { call, who in try state(await service.upload(who, call.value("id"))) },
            .device(
                .patch,
                "/v1/uploads/{id}",
                Operation(
                    "appendUpload",
                    "Appends bytes at Upload-Offset; with the last ones the upload is complete.",
                    [
                        Operation.Parameter(
                            name: "Upload-Offset",
                            place: .header,
                            schema: "Number",
                            isRequired: true,
                            description: "Where these bytes begin: the upload's offset."
                        )
                    ],
                    body: "Bytes",
                    .json("UploadDocument")
                )
            ) { call, who in try await append(call, who) },
            .device(.delete, "/v1/uploads/{id}", Operation("cancelUpload", "Gives an upload up.", .nothing)) {
                call,
                who in
                try await service.cancelUpload(who, call.value("id"))
                return .nothing
            },
        ]
    }

    private func state(_ upload: UploadDocument) throws -> Response {
        try .json(upload, fields: [.uploadOffset: "\(upload.offset)"])
    }

    /// Takes a piece as it comes in; what was stored before a failure stays, and the client goes on from there.
    private func append(_ call: Call, _ who: DeviceIdentity) async throws -> Response {
        let id = call.value("id")
        do {
            return try state(try await store(call, who, id))
        } catch let refusal as Refusal where refusal.code == .conflict {
            let offset = try await service.upload(who, id).offset
            throw GatewayError(refusal, fields: [.uploadOffset: "\(offset)"])
        }
    }

    private func store(_ call: Call, _ who: DeviceIdentity, _ id: String) async throws -> UploadDocument {
        var offset = try Self.offset(call.request.headers[.uploadOffset])
        let tooLarge = Refusal(.tooLarge, "at most \(limits.uploadPieceBytes) bytes in one request; send several")
        if let length = call.request.headers[.contentLength].flatMap({ Int64($0) }), length > limits.uploadPieceBytes {
            throw tooLarge
        }
        // Before the body is read: a wrong offset or a foreign upload costs no bytes.
        let before = try await service.upload(who, id)
        guard before.offset == offset else { throw Refusal(.conflict, "the upload stands at \(before.offset)") }
        let end = offset + limits.uploadPieceBytes
        var piece: [UInt8] = []
        do {
            for try await buffer in call.request.body {
                guard offset + Int64(piece.count + buffer.readableBytes) <= end else { throw tooLarge }
                piece.append(contentsOf: buffer.readableBytesView)
                guard piece.count >= limits.uploadChunkBytes else { continue }
                offset = try await service.appendUpload(who, id, offset: offset, piece)
                piece.removeAll(keepingCapacity: true)
            }
        } catch let error as HTTPParserError {
            // The connection was lost: what came is kept, for the client goes on from there.
            if !piece.isEmpty { _ = try await service.appendUpload(who, id, offset: offset, piece) }
            _ = try await service.finishPiece(who, id)
            throw error
        }
        if !piece.isEmpty { _ = try await service.appendUpload(who, id, offset: offset, piece) }
        return try await service.finishPiece(who, id)
    }

    private static func offset(_ field: String?) throws(Refusal) -> Int64 {
        guard let field, (1...15).contains(field.utf8.count),
            field.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let offset = Int64(field)
        else { throw Refusal(.invalidRequest, "Upload-Offset: expected where these bytes begin") }
        return offset
    }

    var files: [Route] {
        [
            .device(
                .get,
                "/v1/files",
                Operation("files", "The personal area, newest first.", [.before, .limit], .json("FilePage"))
            ) { call, who in
                try .json(
                    await service.files(
                        who,
                        before: call.query.number("before"),
                        limit: call.query.limit()
                    )
                )
            },
            .device(
                .post,
                "/v1/files",
                Operation(
                    "putFile",
                    "A complete upload becomes a file of the personal area.",
                    body: "FileRequest",
                    .json("FileDocument", 201, "Stored.")
                )
            ) { call, who in
                try .json(await service.putFile(who, try await call.exactJSON(FileRequest.self)), .created)
            },
            .device(
                .delete,
                "/v1/files/{id}",
                Operation("deleteFile", "Removes a file from the personal area.", .nothing)
            ) { call, who in
                try await service.deleteFile(who, call.value("id"))
                return .nothing
            },
        ]
            + downloads("/v1/files/{id}/content", id: "fileContent", "The bytes of a file.") { call, who in
                try await service.file(who, call.value("id"))
            }
    }

    // MARK: Signed links

    var links: [Route] {
        let download = Download(service: service, limits: limits)
        let parts: [Route] = [.get, .head].map { method in
            .open(
                method,
                "/l/{token}/parts/{part}",
                Self.downloadOperation(method, "linkedPart", "The bytes of a part of a linked message.")
            ) { call in
                let source = try await service.openLink(call.value("token"), part: try call.number("part", "part"))
                return try download.answer(source, to: call.request)
            }
        }
        let files: [Route] = [.get, .head].map { method in
            .open(
                method,
                "/f/{token}",
                Self.downloadOperation(method, "linkedFile", "The bytes of a file of which another provider was told.")
            ) { call in
                try download.answer(try await service.openFileLink(call.value("token")), to: call.request)
            }
        }
        return [
            .open(
                .get,
                "/l/{token}",
                Operation("linked", "The message that a notification's link stands for.", .json("Envelope"))
            ) { call in try .json(await service.openLink(call.value("token"))) }
        ] + parts + files
    }
}
