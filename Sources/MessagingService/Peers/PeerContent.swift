import ClientWire
public import MessagingCore
public import SessionCore
import Store

/// A file that another provider's user shows in a session: what is said of it, and who has it.
public struct PeerFile: Sendable, Hashable {
    /// Names the medium, and who asks for it.
    public struct Place: Sendable, Hashable {
        public var owner: Address
        public var session: SessionID
        public var medium: MediumID
        public var asker: Address

        /// A file of a user, in a medium of a session, for somebody who takes part in it.
        public init(owner: Address, session: SessionID, medium: MediumID, asker: Address) {
            self.owner = owner
            self.session = session
            self.medium = medium
            self.asker = asker
        }
    }

    public var place: Place
    public var sha256: BlobHash
    public var bytes: Int64
    public var type: String
    public var name: String?

    /// A file that stays where it is.
    public init(place: Place, sha256: BlobHash, bytes: Int64, type: String, name: String?) {
        self.place = place
        self.sha256 = sha256
        self.bytes = bytes
        self.type = type
        self.name = name
    }
}

/// What is shown in a session stays with whoever shows it; the others' devices get it through their own provider.
extension MessagingService {
    /// What is in a file that a user of this provider shows in a session.
    /// - Throws: ``Refusal`` `not-found` unless the asker takes part in that session, and the file is shown in it.
    public func shownFile(_ place: PeerFile.Place) async throws -> PeerFile {
        try await read { view in
            guard let account = try view.account(holding: place.owner),
                let part = try view.session(account, place.session, .participant),
                case let machine = try Documents.decode(PartSide.self, part.state).machine,
                machine.participants.contains(place.asker),
                let medium = machine.media.first(where: { $0.id == place.medium }), medium.owner == place.owner
            else { throw Refusal(.notFound, "no such medium") }
            let file = try Self.file(of: medium, account, view)
            return PeerFile(
                place: place,
                sha256: file.sha256,
                bytes: file.bytes,
                type: file.type,
                name: file.name
            )
        }
    }

    /// Some octets of it, as many as are there.
    public func shownBytes(_ place: PeerFile.Place, offset: Int64, count: Int) async throws -> [UInt8] {
        let file = try await shownFile(place)
        guard (0..<file.bytes).contains(offset), count > 0 else { throw Refusal(.rangeNotSatisfiable, "outside") }
        return try await readBlob(file.sha256, offset: offset, count: min(count, Int(clamping: file.bytes - offset)))
    }

    /// The file that a medium shows.
    static func file(of medium: Medium, _ owner: AccountID, _ view: any ReadView) throws -> FileDocument {
        guard let source = medium.source, let item = try view.item(owner, kind: .file, object: source),
            case .document(let bytes) = item.body
        else { throw Refusal(.notFound, "no such medium with a file") }
        return try Documents.decode(FileDocument.self, bytes)
    }

    /// Some octets of a file that another provider's user shows.
    /// - Throws: ``Refusal`` `not-found`, or `unavailable` when that provider does not answer.
    public func readPeerFile(_ file: PeerFile, offset: Int64, count: Int) async throws -> [UInt8] {
        guard let bytes = await router.shownBytes(file.place, offset: offset, count: count), !bytes.isEmpty else {
            throw Refusal(.unavailable, "the other provider does not answer")
        }
        return bytes
    }
}
