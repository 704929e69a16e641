import Crypto
import MessagingCore
import MessagingService
import NIOCore
import SDP

/// A file of ours on its way in a call of its own (RFC 5547).
struct PushedFile: Sendable {
    let blob: BlobHash
    let bytes: Int64
    let type: String
    /// What is said of it in the offer.
    let attributes: [Attribute]

    /// Looks through the file for what has to be said of it.
    /// - Parameter message: the message that it goes as: the same one is the same transfer, however often it is tried.
    /// - Throws: ``Refusal`` when it is gone.
    init(
        _ part: Part,
        blob: BlobHash,
        as message: MessageID,
        to receiver: Address,
        _ service: MessagingService
    ) async throws {
        var hash = Insecure.SHA1()
        for try await piece in Content(pieces: [.blob(blob, part.bytes)], service: service) {
            hash.update(data: Array(piece.readableBytesView))
        }
        let selector = FileSelector(
            name: part.name,
            type: part.type,
            size: UInt64(part.bytes),
            hashes: [FileSelector.Hash(algorithm: "sha-1", octets: Array(hash.finalize()))]
        )
        self.blob = blob
        bytes = part.bytes
        type = part.type
        attributes = [
            Attribute("file-selector", selector.text),
            Attribute("file-transfer-id", Self.name("\(message) \(receiver)")),
            Attribute("file-disposition", "attachment"),
        ]
    }

    static func name(_ text: String) -> String { hexadecimal(SHA256.hash(data: Array(text.utf8)).prefix(16)) }
}

extension Interconnect {
    /// A message to a user of another provider: its files in calls of their own, where that provider takes them so.
    func deliver(_ text: PeerText, to receiver: Address, of peer: Peer) async -> OutboundResult {
        let files = text.envelope.parts.filter { $0.sha256 != nil }
        guard peer.files == .transfers, !files.isEmpty else {
            return await deliver(plain: Outgoing(text, to: receiver), to: peer)
        }
        // What is sent again after half of it was refused for now is known over there by its ids.
        var rest = text
        rest.envelope.parts.removeAll { $0.sha256 != nil }
        if !rest.envelope.parts.isEmpty {
            let result = await deliver(plain: Outgoing(rest, to: receiver), to: peer)
            guard result == .delivered else { return result }
        }
        for (index, part) in files.enumerated() {
            var one = text
            one.envelope.parts = [part]
            if index > 0 || !rest.envelope.parts.isEmpty {
                // It bears the message's name and reports no more: something else does.
                one.envelope.id = MessageID(stored: "file-" + PushedFile.name("\(text.envelope.id) \(index)"))
                one.envelope.subject = nil
                one.reports = []
            }
            let result = await push(one, part, to: receiver, of: peer)
            guard result == .delivered else { return result }
        }
        return .delivered
    }

    private func push(_ text: PeerText, _ part: Part, to receiver: Address, of peer: Peer) async -> OutboundResult {
        guard let service = running?.service, let blob = part.sha256 else { return .temporary }
        do {
            let file = try await PushedFile(part, blob: blob, as: text.envelope.id, to: receiver, service)
            return await deliverLarge(Outgoing(text, to: receiver), file, to: peer)
        } catch let refusal as Refusal where [.noLongerStored, .notFound].contains(refusal.code) {
            // A file of one's own that is gone will not come back.
            return .permanent(refusal.code)
        } catch {
            return .temporary
        }
    }
}
