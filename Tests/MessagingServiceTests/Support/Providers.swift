import BlobStore
import ClientWire
import MessagingCore
import SessionCore
import Store
import Synchronization
import Testing

@testable import MessagingService

/// Dice that fall the same way for the same seed.
struct Dice: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ count: Int) -> Int { Int.random(in: 0..<count, using: &self) }

    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
}

/// What joins providers: it loses what is said, loses the answer after it was taken, and is cut, as the test says.
final class Network: Sendable {
    private struct State {
        var worlds: [String: World] = [:]
        var down: Set<String> = []
        var dice: Dice
        var lossPercent = 0
        var lyingPercent = 0
        var taken = 0
        var refused: [Refusal.Code] = []
    }

    private let state: Mutex<State>

    init(seed: UInt64 = 1) { state = Mutex(State(dice: Dice(state: seed))) }

    /// One way of two; half of what is lost was taken before.
    var lossPercent: Int {
        get { state.withLock { $0.lossPercent } }
        set { state.withLock { $0.lossPercent = newValue } }
    }

    /// What is dropped and told to have been taken: no network does that, and tests have to notice.
    var lyingPercent: Int {
        get { state.withLock { $0.lyingPercent } }
        set { state.withLock { $0.lyingPercent = newValue } }
    }

    /// What was taken at its other end.
    var taken: Int { state.withLock { $0.taken } }
    /// What will never be taken, and why.
    var refused: [Refusal.Code] { state.withLock { $0.refused } }

    /// Bytes that the seed decides.
    func random(_ count: Int) -> [UInt8] {
        state.withLock { state in (0..<count).map { _ in UInt8(truncatingIfNeeded: state.dice.next()) } }
    }

    func attach(_ world: World) { state.withLock { $0.worlds[world.domain] = world } }

    func cut(_ domain: String, _ isCut: Bool = true) {
        state.withLock { state in
            if isCut { state.down.insert(domain) } else { state.down.remove(domain) }
        }
    }

    fileprivate func reaches(_ domain: String) -> Bool { state.withLock { $0.worlds[domain] != nil } }

    fileprivate func world(_ domain: String, from: String) -> World? {
        state.withLock { $0.down.contains(domain) || $0.down.contains(from) ? nil : $0.worlds[domain] }
    }

    fileprivate func toss() -> Bool { toss(lossPercent) }

    fileprivate func toss(_ percent: Int) -> Bool {
        percent > 0 && state.withLock { $0.dice.chance(percent) }
    }

    fileprivate func note(_ result: Result<Void, Refusal>) {
        state.withLock { state in
            switch result {
            case .success: state.taken += 1
            case .failure(let refusal): state.refused.append(refusal.code)
            }
        }
    }
}

/// One provider's way to the others.
struct Link: OutboundRouter {
    let domain: String
    let network: Network

    func reaches(_ domain: String) -> Bool { network.reaches(domain) }

    func deliver(_ entry: OutboxEntry, envelope: Envelope?, fence: Int64) async -> OutboundResult {
        guard let to = entry.target.domain else { return .permanent(.notFound) }
        guard network.reaches(to) else { return .permanent(.notFound) }
        guard let world = network.world(to, from: domain), !network.toss() else { return .temporary }
        if network.toss(network.lyingPercent) { return .delivered }
        do {
            try await hand(entry, envelope, to: world)
            network.note(.success(()))
        } catch let refusal as Refusal {
            guard refusal.code == .unavailable || refusal.code == .storeFull else {
                network.note(.failure(refusal))
                return .permanent(refusal.code)
            }
            return .temporary
        } catch {
            return .temporary
        }
        return network.toss() ? .temporary : .delivered
    }

    private func hand(_ entry: OutboxEntry, _ envelope: Envelope?, to world: World) async throws {
        if let envelope { try await carry(envelope, to: world) }
        switch entry.task {
        case .message(let receiver):
            let text = PeerText(envelope: try #require(envelope), reports: entry.reports)
            let failures = try await world.service.receive(text, for: [receiver])
            if let failure = failures[receiver] { throw Refusal(failure, "\(receiver)") }
        case .report(let sender, let receiver, let disposition):
            try await world.service.receiveReport(of: entry.message, to: sender, from: receiver, disposition)
        case .session:
            let parcel = try #require(try SessionParcel(entry, envelope: envelope))
            // As on a wire.
            let copy = try Documents.decode(SessionParcel.self, Documents.encode(parcel))
            try await world.service.take(copy)
        }
    }

    /// The files of a message go before it.
    private func carry(_ envelope: Envelope, to world: World) async throws {
        guard let here = network.world(domain, from: domain) else { return }
        for hash in envelope.parts.compactMap(\.sha256) where try !world.blobs.exists(hash) {
            let bytes = try here.blobs.read(hash, offset: 0, count: Int(try here.blobs.size(of: hash)))
            let id = "carried-\(hash)"
            _ = try world.blobs.append(toUpload: id, at: 0, bytes)
            #expect(try world.blobs.finish(upload: id) == hash)
            try world.blobs.discard(upload: id)
            _ = try await world.service.perform { work in
                try work.transaction.apply(.blob(hash, bytes: Int64(bytes.count)))
            }
        }
    }

    func hint(_ hint: PeerHint, to domain: String) {
        guard !network.toss() else { return }
        network.world(domain, from: self.domain)?.service.take(hint)
    }

    func counterpart(
        _ address: Address,
        in session: SessionID,
        for user: Address
    ) async
        -> CounterpartDocument?
    {
        guard let domain = address.domain else { return nil }
        return try? await network.world(domain, from: self.domain)?.service
            .counterpart(address, in: session, for: user)
    }
}

/// Providers over one network, with one clock.
final class Providers {
    let network: Network
    let clock = SteeredClock()
    private(set) var worlds: [World] = []

    init(_ domains: [String] = ["a.example", "b.example"], seed: UInt64 = 1) async throws {
        network = Network(seed: seed)
        for domain in domains {
            let world = try await World.open(
                domain: domain,
                random: { [network] in network.random($0) },
                clock: clock,
                router: Link(domain: domain, network: network)
            )
            network.attach(world)
            worlds.append(world)
        }
    }

    /// The process of one provider ends and starts anew.
    func restart(_ index: Int) async throws {
        let domain = worlds[index].domain
        worlds[index] = try await worlds[index].restarted(router: Link(domain: domain, network: network))
        network.attach(worlds[index])
    }

    /// Works every outbox until nothing is due now.
    func work() async throws {
        var isIdle = false
        while !isIdle {
            isIdle = true
            for world in worlds where try await world.service.workOutbox() { isIdle = false }
        }
    }

    /// Lets time pass until nothing waits in any outbox.
    func settle(_ place: SourceLocation = #_sourceLocation) async throws {
        for _ in 0..<200 {
            try await work()
            guard try await isWaiting else { return }
            clock.advance(milliseconds: 2_000)
            for world in worlds { try await world.service.tickSessions() }
        }
        Issue.record("the outboxes never empty", sourceLocation: place)
    }

    private var isWaiting: Bool {
        get async throws {
            for world in worlds
            where try await !world.store.read({ try $0.dueLanes(at: .distantFuture, limit: 1) }).isEmpty {
                return true
            }
            return false
        }
    }

    func expectSound(_ place: SourceLocation = #_sourceLocation) async throws {
        for world in worlds { try await world.expectSound(place) }
    }
}
