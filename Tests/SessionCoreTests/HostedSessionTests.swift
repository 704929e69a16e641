import FoundationEssentials
import MessagingCore
import Testing

@testable import SessionCore

@Suite("A session at its owner")
struct HostedSessionTests {
    private let alice = Address(stored: "sip:alice@here")
    private let bob = Address(stored: "sip:bob@there")
    private let carol = Address(stored: "sip:carol@there")
    private let now = Timestamp(rawValue: 1_000_000)

    private func open(_ others: [Address]) throws -> HostedSession {
        var host = try HostedSession(
            id: SessionID(stored: "s"),
            creator: alice,
            invited: Set(others),
            now: now
        )
        for other in others { _ = host.take(.answered(.accepted), from: other, now: now) }
        #expect(host.phase == .open)
        return host
    }

    private func proposal(_ id: String, _ change: MediaChange, at revision: Revision) -> ToOwner {
        .propose(MediaProposal(id: MessageID(stored: id), change: change, revision: revision))
    }

    private func device(_ number: Int32) -> DeviceID { DeviceID(rawValue: number) }

    @Test("every change of the media is told to everybody as it is afterwards")
    func published() throws {
        var host = try open([bob])
        func expectTold(_ sent: [HostedSession.Sent], _ place: SourceLocation = #_sourceLocation) {
            let told = FromOwner.media(host.media.revision, host.media.media, pending: host.media.pending)
            #expect(sent.filter { $0.message == told }.map(\.to) == [alice, bob], sourceLocation: place)
        }
        let add = MediaChange.add(.audio, .both, source: nil, device: device(1))
        let asked = host.take(proposal("a", add, at: 0), from: alice, now: now)
        #expect(asked.map(\.to) == [bob])
        expectTold(host.take(.consent(MessageID(stored: "a"), on: device(2)), from: bob, now: now))
        #expect(host.media.revision == 1)
        let audio = MediumID(rawValue: 1)
        #expect(host.media[audio]?.placements[bob]?.device == device(2))

        expectTold(host.take(proposal("b", .hold(audio), at: 1), from: bob, now: now))
        expectTold(host.take(proposal("c", .resume(audio), at: 2), from: bob, now: now))
        expectTold(host.take(proposal("d", .move(audio, to: device(3)), at: 3), from: alice, now: now))
        expectTold(host.take(.connected(MessageID(stored: "d")), from: alice, now: now))
        #expect(host.media[audio]?.placements[alice] == Placement(device: device(3), generation: .first.next))
        expectTold(host.take(.mediumFailed(audio), from: bob, now: now))
        #expect(host.media.media == [])
    }

    @Test("a stored video plays for all, and the last wish counts")
    func playback() throws {
        var host = try open([bob])
        let add = MediaChange.add(.storedVideo, .from(alice), source: "file", device: device(1))
        _ = host.take(proposal("a", add, at: 0), from: alice, now: now)
        _ = host.take(.consent(MessageID(stored: "a"), on: device(2)), from: bob, now: now)
        let video = MediumID(rawValue: 1)
        #expect(host.media[video]?.owner == alice)
        let revision = host.media.revision
        let wish = Playback.Wish(isPlaying: true, position: 5000)
        let sent = host.take(.play(video, wish), from: bob, now: now)
        #expect(host.media[video]?.playback == Playback(state: wish, at: now, revision: 1))
        #expect(host.media.revision == revision)
        #expect(sent.map(\.message).contains(.media(revision, host.media.media, pending: [])))
        let wrong = Playback.Wish(isPlaying: true, position: -1)
        #expect(host.take(.play(video, wrong), from: alice, now: now).isEmpty)
        let fast = Playback.Wish(isPlaying: true, position: 0, rate: 9000)
        #expect(host.take(.play(video, fast), from: alice, now: now).isEmpty)
        #expect(host.media[video]?.playback?.revision == 1)
    }

    @Test("only who asked for the session takes somebody out, also whose devices still ring")
    func removal() throws {
        var host = try open([bob, carol])
        #expect(host.take(.remove(carol), from: bob, now: now).isEmpty)
        #expect(host.take(.remove(alice), from: alice, now: now).isEmpty)
        let sent = host.take(.remove(carol), from: alice, now: now)
        #expect(sent.first == HostedSession.Sent(to: carol, message: .ended(.removed)))
        #expect(host.present == [alice, bob])
        #expect(host.phase == .open)
        _ = host.take(.invite(carol), from: bob, now: now)
        #expect(host.called == [carol])
        #expect(host.take(.remove(carol), from: alice, now: now).map(\.message) == [.cancelled])
        #expect(host.called.isEmpty)
        // With one left there is nobody to talk to.
        let last = host.take(.remove(bob), from: alice, now: now)
        #expect(last.contains(HostedSession.Sent(to: bob, message: .ended(.removed))))
    }

    @Test("a machine read back is the machine that was written")
    func coding() throws {
        var host = try open([bob])
        let add = MediaChange.add(.video, .from(bob), source: nil, device: device(1))
        _ = host.take(proposal("a", add, at: 0), from: alice, now: now)
        _ = host.take(.text(MessageID(stored: "t")), from: alice, now: now)
        let data = try JSONEncoder().encode(host)
        #expect(try JSONDecoder().decode(HostedSession.self, from: data) == host)
    }
}
