import Crypto
import MessagingCore
import MessagingService
import SDP

/// One file that another implementation offers to send, in an `m=` line of its own (RFC 5547).
struct OfferedFile: Sendable, Hashable {
    /// Why a line about a file is not taken.
    struct Unacceptable: Error, Hashable {
        let reason: String

        init(_ reason: String) { self.reason = reason }
    }

    static let longestTransferName = 255

    /// Its line in the offer.
    let slot: Int
    /// What its sender calls the transfer: the same one is the same transfer, however often it is tried.
    let transfer: String
    /// As its parts bear it; nil when the offer does not say.
    let type: String?
    let name: String?
    /// Octets; nil when the offer does not say.
    let bytes: Int64?
    let sha1: [UInt8]?
    /// What an answer has to repeat as it stands (RFC 5547, section 8.3).
    let repeated: [Attribute]

    /// The line of an offer whose media are files and nothing else; nil for other offers. One call takes one file.
    static func slot(in offer: SessionDescription) -> Int? {
        let used = offer.media.indices.filter { !offer.media[$0].isRejected }
        guard !used.isEmpty, used.allSatisfy({ offer.media[$0].isMSRP && offer.media[$0].isFile }) else { return nil }
        return used[0]
    }

    /// - Throws: ``Unacceptable``.
    init(_ offer: SessionDescription, slot: Int) throws(Unacceptable) {
        let line = offer.media[slot]
        switch offer.direction(of: line) {
        case .sendOnly: break
        case .receiveOnly: throw Unacceptable("files are sent, not fetched, by this provider")
        case .sendReceive, .inactive: throw Unacceptable("a file goes one way: sendonly")
        }
        guard (line.setup ?? .active).answering(canListen: true, canConnect: false) == .passive else {
            throw Unacceptable("whoever sends a file connects")
        }
        guard let selector = try? line.fileSelector() else { throw Unacceptable("file-selector cannot be read") }
        guard let transfer = line.fileTransferID, (1...Self.longestTransferName).contains(transfer.utf8.count) else {
            throw Unacceptable("file-transfer-id is missing, or too long")
        }
        type = try selector.type.map { text throws(Unacceptable) in
            guard let type = canonicalMediaType(text), !type.contains("*") else {
                throw Unacceptable("the file's type is no media type")
            }
            return type
        }
        bytes = try selector.size.map { size throws(Unacceptable) in
            guard size > 0, let bytes = Int64(exactly: size) else { throw Unacceptable("the file has no octets") }
            return bytes
        }
        if line.hasAttribute("file-range") {
            guard let range = line.fileRange, range.start == 1, range.end.map({ $0 == selector.size }) ?? true else {
                throw Unacceptable("a file is taken from its first octet to its last one")
            }
        }
        self.slot = slot
        self.transfer = transfer
        name = selector.name.flatMap { (try? Envelope.validate(fileName: $0)) != nil ? $0 : nil }
        sha1 = selector.hashes.first { $0.algorithm == "sha-1" }?.octets
        repeated = ["file-selector", "file-transfer-id", "file-range"].flatMap { name in
            line.attributes(named: name).prefix(1).map { Attribute(name, $0) }
        }
    }

    /// What its octets come as: by themselves, or as the content of a message.
    var carriers: [String] { type.map { ["message/cpim", $0] } ?? ["*"] }

    /// What it is called as a message if nothing else is said: the same each time that this transfer of this file is tried.
    func message(from sender: Address) -> MessageID {
        let text = "\(sender) \(transfer) \(bytes ?? -1) \(sha1 ?? [])"
        return MessageID(stored: "file-" + hexadecimal(SHA256.hash(data: Array(text.utf8)).prefix(20)))
    }

    /// Looks at octets as they come, for whether they are those that were meant.
    struct Check: Sendable {
        private let expected: [UInt8]?
        private var hash = Insecure.SHA1()

        init(_ file: OfferedFile) { expected = file.sha1 }

        mutating func take(_ bytes: ArraySlice<UInt8>) { if expected != nil { hash.update(data: bytes) } }

        /// - Throws: ``Refusal`` `invalid-message` when they are not.
        func finish() throws(Refusal) {
            guard let expected else { return }
            guard hash.finalize().elementsEqual(expected) else {
                throw Refusal(.invalidMessage, "the file is not the one that was offered")
            }
        }
    }
}
