import ClientWire
import MessagingCore
import Store

/// Turns the parts of a request into parts of a message: uploads, forwarded parts and files become blobs.
struct PartResolver {
    let work: Work
    let account: AccountID

    /// - Throws: ``Refusal`` `invalid-message`, `not-found`, `too-many` or `no-longer-stored`.
    func resolve(_ parts: [PartRequest]) throws -> [Part] {
        guard parts.count <= Limits.messageParts else {
            throw Refusal(.tooMany, "at most \(Limits.messageParts) parts")
        }
        return try parts.map(resolve)
    }

    private func resolve(_ part: PartRequest) throws -> Part {
        switch (part.text, part.upload, part.forward, part.file) {
        case (let text?, nil, nil, nil):
            guard let type = canonicalMediaType(part.type ?? "text/plain"), !type.contains("*") else {
                throw Refusal(.invalidMessage, "a part has no proper media type")
            }
            return Part(type: type, name: part.name, text: text)
        case (nil, let upload?, nil, nil): return try fromUpload(upload, name: part.name)
        case (nil, nil, let forward?, nil): return try forwarded(forward, name: part.name)
        case (nil, nil, nil, let file?): return try fromFile(file, name: part.name)
        default: throw Refusal(.invalidMessage, "a part is one of text, upload, forward or file")
        }
    }

    private func fromUpload(_ id: String, name: String?) throws -> Part {
        guard let upload = try work.transaction.upload(id), upload.account == account else {
            throw Refusal(.notFound, "no such upload")
        }
        guard let hash = upload.hash else { throw Refusal(.invalidMessage, "the upload is not complete") }
        return Part(type: upload.type, name: name ?? upload.name, bytes: upload.bytes, blob: hash)
    }

    private func forwarded(_ source: PartRequest.Forward, name: String?) throws -> Part {
        guard
            let message = try work.transaction.item(account, kind: .message, object: source.message.description)?
                .message
        else { throw Refusal(.notFound, "no such message") }
        guard !message.flags.contains(.released), let content = try work.transaction.content(message.content) else {
            throw Refusal(.noLongerStored, "the provider no longer stores this message's content")
        }
        let envelope = try Documents.decode(Envelope.self, content.document)
        guard envelope.parts.indices.contains(source.part) else { throw Refusal(.notFound, "no such part") }
        var part = envelope.parts[source.part]
        part.name = name ?? part.name
        return part
    }

    private func fromFile(_ id: String, name: String?) throws -> Part {
        guard let item = try work.transaction.item(account, kind: .file, object: id),
            case .document(let bytes) = item.body
        else { throw Refusal(.notFound, "no such file") }
        let file = try Documents.decode(FileDocument.self, bytes)
        return Part(type: file.type, name: name ?? file.name, bytes: file.bytes, blob: file.sha256)
    }
}
