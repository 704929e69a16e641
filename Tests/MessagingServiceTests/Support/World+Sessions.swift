import ClientWire
import MessagingCore
import SessionCore
import Store
import Testing

@testable import MessagingService

extension World {
    func newSessionID() throws -> SessionID { try SessionID(try newID().description) }

    func ask(
        _ from: Person,
        _ to: Person...,
        subject: String? = nil,
        text: String? = nil
    ) async throws
        -> SessionDocument
    {
        try await service.request(
            from.who,
            SessionRequest(id: try newSessionID(), to: to.map(\.address), subject: subject, text: text)
        )
    }

    /// Alice and Bob, each with a computer and a phone, in a session on their computers.
    func conversation() async throws -> (alice: Person, bob: Person, id: SessionID) {
        let alice = try await person("alice", devices: [.computer, .mobile])
        let bob = try await person("bob", devices: [.computer, .mobile])
        let id = try await ask(alice, bob).id
        _ = try await service.accept(bob.who, id, AcceptRequest())
        return (alice, bob, id)
    }

    func session(_ person: Person, _ id: SessionID) async throws -> SessionDocument {
        try await service.session(person.who, id)
    }

    func say(_ text: String, _ who: DeviceIdentity, _ id: SessionID) async throws -> SendAnswer {
        try await service.send(who, SendRequest(id: try newID(), session: id, parts: [PartRequest(text: text)]))
    }

    /// What a device has of a session, in order.
    func texts(_ who: DeviceIdentity, _ id: SessionID, after: Ordinal = 0) async throws -> [String] {
        try await service.texts(who, id, after: after, limit: 200).texts.map { item in
            item.message?.parts.first?.text ?? "?"
        }
    }

    func lastItem(_ person: Person) async throws -> Item? {
        try await store.read { try $0.list(person.id, Listing(kinds: [.message], before: .max, limit: 1)).first }
    }

    /// Proposes a medium and returns the name of the change.
    func add(
        _ kind: MediumKind,
        _ who: DeviceIdentity,
        _ id: SessionID,
        source: String? = nil
    ) async throws
        -> MessageID
    {
        let seen = try await service.session(who, id)
        var request = MediaRequest(id: try newID(), revision: seen.revision, change: .add)
        request.kind = kind
        request.source = source
        _ = try await service.propose(who, id, request)
        return request.id
    }

    /// A change of a medium that is there.
    func change(
        _ change: MediaRequest.Change,
        _ medium: MediumID,
        _ who: DeviceIdentity,
        _ id: SessionID,
        to device: DeviceID? = nil
    ) async throws -> MessageID {
        let seen = try await service.session(who, id)
        var request = MediaRequest(id: try newID(), revision: seen.revision, change: change, medium: medium)
        request.device = device
        _ = try await service.propose(who, id, request)
        return request.id
    }

    /// Takes a device through getting ready and catching up, as its client does: until it is live.
    func join(_ who: DeviceIdentity, _ id: SessionID) async throws -> [String] {
        var document = try await service.session(who, id)
        func leg() throws -> SessionDocument.Leg {
            try #require(document.legs.first { $0.device == who.device && $0.state != .draining })
        }
        let generation = try leg().generation
        document = try await service.step(who, id, LegStep(generation, .ready))
        var texts: [String] = []
        var position = try #require(try leg().start)
        while true {
            let page = try await service.texts(who, id, after: position, limit: 20)
            texts += page.texts.map { $0.message?.parts.first?.text ?? "?" }
            position = page.upTo ?? position
            if try leg().state == .live, position >= page.head { return texts }
            document = try await service.step(who, id, LegStep(generation, .progress, position: position))
        }
    }
}
