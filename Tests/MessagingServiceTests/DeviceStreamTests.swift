import MessagingCore
import Testing

@testable import MessagingService

@Suite("The stream machine: every state against every input, action and next state")
struct DeviceStreamTests {
    typealias Request = DeviceStream.Request

    private func stream(_ limits: WindowLimits = WindowLimits(items: 2, bytes: 1000)) -> DeviceStream {
        DeviceStream(limits: limits)
    }

    /// A stream in the live state at a number.
    private func live(at number: ChangeNumber) -> DeviceStream {
        var stream = stream()
        _ = stream.open(.current, head: number)
        return stream
    }

    private func reading(_ catchUp: CatchUp, head: ChangeNumber) -> DeviceStream {
        var stream = stream()
        _ = stream.open(catchUp, head: head)
        return stream
    }

    /// Live, with the window full and one change waiting in the store.
    private func paused() -> DeviceStream {
        var stream = live(at: 10)
        for head in [11, 12] as [ChangeNumber] {
            _ = stream.changed(base: head - 1, head: head)
            stream.noteSent(upTo: head, items: 1, bytes: 10, deliverables: [head])
        }
        _ = stream.changed(base: 12, head: 13)
        return stream
    }

    private func closed() -> DeviceStream {
        var stream = live(at: 10)
        stream.close()
        return stream
    }

    private func step(
        _ stream: inout DeviceStream,
        _ input: (inout DeviceStream) -> DeviceStream.Action,
        is expected: DeviceStream.Action,
        then state: DeviceStream.State,
        _ place: SourceLocation = #_sourceLocation
    ) {
        let action = input(&stream)
        expect(stream, action, is: expected, then: state, place)
    }

    private func expect(
        _ stream: DeviceStream,
        _ action: DeviceStream.Action,
        is expected: DeviceStream.Action,
        then state: DeviceStream.State,
        _ place: SourceLocation = #_sourceLocation
    ) {
        #expect(action == expected, sourceLocation: place)
        #expect(stream.state == state, sourceLocation: place)
    }

    @Test("opening: current goes live, behind reads the digest, fresh reads the listing")
    func opening() {
        var current = stream()
        step(&current, { $0.open(.current, head: 7) }, is: .mark(7), then: .live)
        var behind = stream()
        let digest = Request.digest(after: 3, createdUpTo: 3)
        step(&behind, { $0.open(.stream(after: 3, level: 2), head: 7) }, is: .read(digest), then: .reading(digest))
        var fresh = stream()
        let reset = Request.reset(.fresh, asOf: 7, before: .max)
        step(&fresh, { $0.open(.reset(.fresh), head: 7) }, is: .read(reset), then: .reading(reset))
    }

    @Test("opening twice, or in any later state, breaks the contract")
    func openingTwice() {
        for var stream in [live(at: 1), reading(.reset(.fresh), head: 3), paused(), closed()] {
            let state = stream.state
            step(&stream, { $0.open(.current, head: 1) }, is: .fail, then: state)
        }
    }

    @Test("a change that comes while opening is read from the store afterwards")
    func changeWhileOpening() {
        var stream = stream()
        step(&stream, { $0.changed(base: 7, head: 8) }, is: .none, then: .opening)
        let request = Request.digest(after: 5, createdUpTo: 5)
        step(&stream, { $0.open(.stream(after: 5, level: 5), head: 7) }, is: .read(request), then: .reading(request))
        let changes = Request.changes(after: 5, level: 5)
        step(
            &stream,
            { $0.wrote(digestUpTo: 7, createdUpTo: 5, last: true) },
            is: .read(changes),
            then: .reading(changes)
        )
        let next = Request.changes(after: 7, level: 5)
        step(&stream, { $0.wrote(changesUpTo: 7, exhausted: true) }, is: .read(next), then: .reading(next))
        step(&stream, { $0.wrote(changesUpTo: 8, exhausted: true) }, is: .mark(8), then: .live)
    }

    @Test("a change that comes while opening is not forgotten by a device that was current")
    func changeWhileOpeningCurrent() {
        var stream = stream()
        step(&stream, { $0.changed(base: 7, head: 8) }, is: .none, then: .opening)
        let request = Request.changes(after: 7, level: 7)
        step(&stream, { $0.open(.current, head: 7) }, is: .read(request), then: .reading(request))
        step(&stream, { $0.wrote(changesUpTo: 8, exhausted: true) }, is: .mark(8), then: .live)
    }

    @Test("live: the next change is pushed, a gap is read, an old one ignored")
    func liveChanges() {
        var next = live(at: 10)
        step(&next, { $0.changed(base: 10, head: 12) }, is: .push, then: .live)
        #expect(next.sent == 12)
        #expect(next.marked == 12)
        var gap = live(at: 10)
        let read = Request.changes(after: 10, level: 10)
        step(&gap, { $0.changed(base: 11, head: 12) }, is: .read(read), then: .reading(read))
        var old = live(at: 10)
        step(&old, { $0.changed(base: 8, head: 10) }, is: .none, then: .live)
    }

    @Test("a push that memory cannot serve is read instead, from where it began")
    func readInstead() {
        var stream = live(at: 10)
        _ = stream.changed(base: 10, head: 11)
        let read = Request.changes(after: 10, level: 10)
        step(&stream, { $0.readInstead(from: 10) }, is: .read(read), then: .reading(read))
        #expect(stream.sent == 10)
    }

    @Test("a full window pauses; the acknowledgement that makes room reads on, and names what was delivered")
    func window() {
        var stream = paused()
        let request = Request.changes(after: 12, level: 12)
        #expect(stream.state == .paused(request))
        step(&stream, { $0.changed(base: 13, head: 14) }, is: .none, then: .paused(request))
        step(&stream, { $0.resume() }, is: .none, then: .paused(request))
        let (action, delivered) = stream.acknowledge(11, level: 11)
        expect(stream, action, is: .read(request), then: .reading(request))
        #expect(delivered == [11])
        #expect(stream.acknowledged == 11)
        #expect(stream.level == 11)
    }

    @Test("after a pause it reads on once half of the window is free, not for each acknowledgement")
    func halfTheWindow() {
        var stream = DeviceStream(limits: WindowLimits(items: 4, bytes: 1000))
        _ = stream.open(.current, head: 10)
        for number in ChangeNumber(11)...14 {
            _ = stream.changed(base: number - 1, head: number)
            stream.noteSent(upTo: number, items: 1, bytes: 10, deliverables: [])
        }
        let request = Request.changes(after: 14, level: 14)
        step(&stream, { $0.changed(base: 14, head: 15) }, is: .none, then: .paused(request))
        step(&stream, { $0.acknowledge(11, level: nil).0 }, is: .none, then: .paused(request))
        step(&stream, { $0.acknowledge(12, level: nil).0 }, is: .read(request), then: .reading(request))
    }

    @Test("what was seen makes room and moves no cursor")
    func seen() {
        var stream = paused()
        let request = Request.changes(after: 12, level: 12)
        step(&stream, { $0.seen(12) }, is: .read(request), then: .reading(request))
        #expect(stream.acknowledged == 10)
        #expect(stream.level == 10)
        #expect(stream.acknowledge(11, level: 11).delivered == [])
        #expect(stream.acknowledged == 11)
    }

    @Test("going back, it reads from the acknowledgement on: at once, or behind what is being read")
    func rewinding() {
        let digest = Request.digest(after: 11, createdUpTo: 11)
        var full = paused()
        step(
            &full,
            { $0.rewind() },
            is: .read(.digest(after: 10, createdUpTo: 10)),
            then: .reading(.digest(after: 10, createdUpTo: 10))
        )
        var stream = live(at: 10)
        _ = stream.changed(base: 10, head: 12)
        stream.noteSent(upTo: 12, items: 1, bytes: 1, deliverables: [12])
        _ = stream.acknowledge(11, level: 11)
        step(&stream, { $0.rewind() }, is: .read(digest), then: .reading(digest))
        let again = Request.changes(after: 11, level: 11)
        step(
            &stream,
            { $0.wrote(digestUpTo: 12, createdUpTo: 11, last: true) },
            is: .read(again),
            then: .reading(again)
        )
        // Once more, while it reads: that comes to nothing.
        step(&stream, { $0.rewind() }, is: .none, then: .reading(again))
        #expect(stream.isRewinding)
        step(&stream, { $0.rewind(hasRead: true) }, is: .read(digest), then: .reading(digest))
        #expect(!stream.isRewinding)
        var closed = closed()
        step(&closed, { $0.rewind() }, is: .none, then: .closed)
    }

    @Test("a page that fills the window pauses the rest")
    func pagedPause() {
        var stream = reading(.stream(after: 3, level: 3), head: 50)
        let changes = Request.changes(after: 3, level: 3)
        step(
            &stream,
            { $0.wrote(digestUpTo: 50, createdUpTo: 3, last: true) },
            is: .read(changes),
            then: .reading(changes)
        )
        stream.noteSent(upTo: 20, items: 2, bytes: 10, deliverables: [])
        let rest = Request.changes(after: 20, level: 3)
        step(&stream, { $0.wrote(changesUpTo: 20, exhausted: false) }, is: .none, then: .paused(rest))
    }

    @Test("digest pages follow each other; one that is too large becomes a listing")
    func digests() {
        var stream = reading(.stream(after: 3, level: 2), head: 50)
        let next = Request.digest(after: 30, createdUpTo: 3)
        step(&stream, { $0.wrote(digestUpTo: 30, createdUpTo: 3, last: false) }, is: .read(next), then: .reading(next))
        let reset = Request.reset(.tooFarBehind, asOf: 60, before: .max)
        step(&stream, { $0.restart(.tooFarBehind, head: 60) }, is: .read(reset), then: .reading(reset))
    }

    @Test("listing pages follow each other; after the last, what came meanwhile is read")
    func resets() {
        var stream = reading(.reset(.trimmed), head: 50)
        let next = Request.reset(.trimmed, asOf: 50, before: 20)
        step(&stream, { $0.wrote(resetAsOf: 50, reason: .trimmed, next: 20) }, is: .read(next), then: .reading(next))
        _ = stream.changed(base: 50, head: 51)
        let changes = Request.changes(after: 50, level: 50)
        step(
            &stream,
            { $0.wrote(resetAsOf: 50, reason: .trimmed, next: nil) },
            is: .read(changes),
            then: .reading(changes)
        )
        var quiet = reading(.reset(.fresh), head: 5)
        step(&quiet, { $0.wrote(resetAsOf: 5, reason: .fresh, next: nil) }, is: .mark(5), then: .live)
    }

    @Test("pages that nobody asked for break the contract, and are nothing after the end")
    func stray() {
        for var stream in [stream(), live(at: 10), paused()] {
            let state = stream.state
            step(&stream, { $0.wrote(changesUpTo: 11, exhausted: true) }, is: .fail, then: state)
            step(&stream, { $0.wrote(digestUpTo: 11, createdUpTo: 3, last: true) }, is: .fail, then: state)
            step(&stream, { $0.restart(.tooFarBehind, head: 11) }, is: .fail, then: state)
            step(&stream, { $0.wrote(resetAsOf: 11, reason: .fresh, next: nil) }, is: .fail, then: state)
        }
        var closed = closed()
        step(&closed, { $0.wrote(changesUpTo: 11, exhausted: true) }, is: .none, then: .closed)
        step(&closed, { $0.wrote(digestUpTo: 11, createdUpTo: 3, last: true) }, is: .none, then: .closed)
        step(&closed, { $0.wrote(resetAsOf: 11, reason: .fresh, next: nil) }, is: .none, then: .closed)
        step(&closed, { $0.changed(base: 10, head: 11) }, is: .none, then: .closed)
        step(&closed, { $0.resume() }, is: .none, then: .closed)
    }

    @Test(
        "an acknowledgement beyond what was sent, or of a mark that never was, breaks the contract",
        arguments: [(11, nil), (-1, nil), (10, 11)] as [(ChangeNumber, ChangeNumber?)]
    )
    func badAcknowledgements(_ number: ChangeNumber, _ level: ChangeNumber?) {
        var stream = live(at: 10)
        #expect(stream.acknowledge(number, level: level).0 == .fail)
        #expect(stream.acknowledged == 10)
    }

    @Test("acknowledgements are cumulative and never go back")
    func cumulative() {
        var stream = stream(WindowLimits(items: 100, bytes: 100_000))
        _ = stream.open(.current, head: 0)
        for head in 1...5 as ClosedRange<ChangeNumber> {
            _ = stream.changed(base: head - 1, head: head)
            stream.noteSent(upTo: head, items: 1, bytes: 1, deliverables: [head])
        }
        #expect(stream.acknowledge(3, level: 3).delivered == [1, 2, 3])
        #expect(stream.acknowledge(2, level: 2).delivered == [])
        #expect(stream.acknowledged == 3)
        #expect(stream.level == 3)
        #expect(stream.acknowledge(5, level: nil).delivered == [4, 5])
        #expect(stream.level == 3)
    }

    @Test("a level is never above what was acknowledged")
    func levelBound() {
        var stream = live(at: 10)
        _ = stream.changed(base: 10, head: 12)
        stream.noteSent(upTo: 12, items: 1, bytes: 1, deliverables: [])
        _ = stream.acknowledge(11, level: 12)
        #expect(stream.level == 11)
    }
}
