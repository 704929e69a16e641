import NIOCore
import Testing

@testable import MSRP

/// Every state of an outgoing message with every input: what comes of it and the state after it.
@Suite struct OutgoingMessageTableTests {
    enum Input: CaseIterable {
        case supply
        case supplyNothing
        case finish
        case cut
        case answered
        case rewind
        case abort
        case peerAbort
    }

    /// A message in a state; it has four octets, of which one chunk of two was sent in `open` and `supplied`.
    static func message(_ phase: OutgoingMessage.Phase) throws -> (OutgoingMessage, OutgoingMessage.Cut?) {
        let header = MessageHeader(id: try MessageID(validating: "m1m1"), contentType: "text/plain", size: nil)
        var message = OutgoingMessage(header: header)
        try message.supply(ByteBuffer(string: "abcd"))
        let cut = message.cut(atMost: 2)
        switch phase {
        case .open: return (message, cut)
        case .supplied: try message.finish()
        case .sent, .answered:
            try message.finish()
            let last = message.cut(atMost: 2)
            guard phase == .answered else { return (message, last) }
            _ = message.answered()
            _ = message.answered()
        case .aborting: _ = message.abort(tellsPeer: true)
        case .gone:
            _ = message.abort(tellsPeer: true)
            _ = message.cut(atMost: 2)
        }
        return (message, cut)
    }

    static func feed(_ input: Input, _ message: inout OutgoingMessage, _ cut: OutgoingMessage.Cut?) throws -> String {
        do {
            switch input {
            case .supply: try message.supply(ByteBuffer(string: "ef"))
            case .supplyNothing: try message.supply(ByteBuffer())
            case .finish: try message.finish()
            case .cut:
                return message.cut(atMost: 2).map { "\($0.piece.offset)+\($0.piece.bytes.text)\($0.flag)" } ?? "nothing"
            case .answered: return "\(message.answered())"
            case .rewind: message.rewind(try #require(cut))
            case .abort: return "\(message.abort(tellsPeer: true))"
            case .peerAbort: return "\(message.abort(tellsPeer: false))"
            }
            return "ok"
        } catch let error as MSRPError {
            return error.code.rawValue
        }
    }

    static let table: [OutgoingMessage.Phase: [Input: (String, OutgoingMessage.Phase)]] = [
        .open: [
            .supply: ("ok", .open),
            .supplyNothing: ("ok", .open),
            .finish: ("ok", .supplied),
            .cut: ("2+cdmore", .open),
            .answered: ("progress", .open),
            .rewind: ("ok", .open),
            .abort: ("sendAbort", .aborting),
            .peerAbort: ("forget", .gone),
        ],
        .supplied: [
            .supply: ("wrong-size", .supplied),
            .supplyNothing: ("ok", .supplied),
            .finish: ("ok", .supplied),
            .cut: ("2+cdcomplete", .sent),
            .answered: ("progress", .supplied),
            .rewind: ("ok", .supplied),
            .abort: ("sendAbort", .aborting),
            .peerAbort: ("forget", .gone),
        ],
        .sent: [
            .supply: ("wrong-size", .sent),
            .supplyNothing: ("ok", .sent),
            .finish: ("ok", .sent),
            .cut: ("nothing", .sent),
            .answered: ("progress", .sent),
            .rewind: ("ok", .supplied),
            .abort: ("forget", .gone),
            .peerAbort: ("forget", .gone),
        ],
        .answered: [
            .supply: ("wrong-size", .answered),
            .supplyNothing: ("ok", .answered),
            .finish: ("ok", .answered),
            .cut: ("nothing", .answered),
            .answered: ("ignore", .answered),
            .rewind: ("ok", .answered),
            .abort: ("ignore", .answered),
            .peerAbort: ("ignore", .answered),
        ],
        .aborting: [
            .supply: ("aborted", .aborting),
            .supplyNothing: ("aborted", .aborting),
            .finish: ("aborted", .aborting),
            .cut: ("2+aborted", .gone),
            .answered: ("ignore", .aborting),
            .rewind: ("ok", .aborting),
            .abort: ("ignore", .aborting),
            .peerAbort: ("forget", .gone),
        ],
        .gone: [
            .supply: ("aborted", .gone),
            .supplyNothing: ("aborted", .gone),
            .finish: ("aborted", .gone),
            .cut: ("nothing", .gone),
            .answered: ("ignore", .gone),
            .rewind: ("ok", .gone),
            .abort: ("ignore", .gone),
            .peerAbort: ("ignore", .gone),
        ],
    ]

    @Test(arguments: OutgoingMessage.Phase.allCases, Input.allCases)
    func transition(_ phase: OutgoingMessage.Phase, _ input: Input) throws {
        var (message, cut) = try Self.message(phase)
        #expect(message.phase == phase)
        let action = try Self.feed(input, &message, cut)
        let expected = try #require(Self.table[phase]?[input])
        #expect(action == expected.0)
        #expect(message.phase == expected.1)
    }

    @Test func whatWasRewoundIsSentAgainInPlace() throws {
        var (message, _) = try Self.message(.open)
        try message.finish()
        let cut = message.cut(atMost: 2)
        let last = try #require(cut)
        #expect(message.answered() == .progress)
        message.rewind(last)
        #expect(message.phase == .supplied)
        #expect(message.cut(atMost: 1)?.piece == .init(offset: 2, bytes: ByteBuffer(string: "c")))
        let end = message.cut(atMost: 1)
        #expect(end?.piece == .init(offset: 3, bytes: ByteBuffer(string: "d")))
        #expect(end?.flag == .complete)
        #expect(message.answered() == .progress)
        #expect(message.answered() == .allAnswered)
        #expect(message.phase == .answered)
    }

    @Test func crumbsAreJoined() throws {
        var (message, _) = try Self.message(.open)
        for _ in 0..<6 { try message.supply(ByteBuffer(string: "x")) }
        #expect(message.cut(atMost: 5)?.piece.bytes.text == "cdxxx")
        #expect(message.cut(atMost: 5)?.piece == .init(offset: 7, bytes: ByteBuffer(string: "xxx")))
    }
}

/// Every state of an incoming message with every input.
@Suite struct IncomingMessageTableTests {
    enum Input: CaseIterable {
        case next
        case early
        case known
        case takeReady
        case endMore
        case endComplete
        case endAborted
    }

    static func message(_ phase: IncomingMessage.Phase) throws -> IncomingMessage {
        var message = IncomingMessage()
        _ = try Self.content("ab", 0, &message)
        switch phase {
        case .receiving: break
        case .complete: _ = try message.end(.complete, at: 2)
        case .aborted: _ = try message.end(.aborted, at: 2)
        }
        return message
    }

    static func content(
        _ text: String,
        _ offset: UInt64,
        _ message: inout IncomingMessage,
        limits: MSRPLimits = .init(),
        room: Int = 100
    ) throws -> String {
        switch try message.content(ByteBuffer(string: text), at: offset, limits: limits, roomOutOfOrder: room) {
        case .deliver(let bytes): "deliver \(bytes.text)"
        case .held: "held"
        case .dropped: "dropped"
        }
    }

    static let table: [IncomingMessage.Phase: [Input: (String, IncomingMessage.Phase)]] = [
        .receiving: [
            .next: ("deliver cd", .receiving),
            .early: ("held", .receiving),
            .known: ("dropped", .receiving),
            .takeReady: ("nothing", .receiving),
            .endMore: ("more", .receiving),
            .endComplete: ("complete(size: 2)", .complete),
            .endAborted: ("aborted", .aborted),
        ],
        .complete: [
            .next: ("dropped", .complete),
            .early: ("dropped", .complete),
            .known: ("dropped", .complete),
            .takeReady: ("nothing", .complete),
            .endMore: ("ignore", .complete),
            .endComplete: ("ignore", .complete),
            .endAborted: ("ignore", .complete),
        ],
        .aborted: [
            .next: ("dropped", .aborted),
            .early: ("dropped", .aborted),
            .known: ("dropped", .aborted),
            .takeReady: ("nothing", .aborted),
            .endMore: ("ignore", .aborted),
            .endComplete: ("ignore", .aborted),
            .endAborted: ("ignore", .aborted),
        ],
    ]

    @Test(arguments: IncomingMessage.Phase.allCases, Input.allCases)
    func transition(_ phase: IncomingMessage.Phase, _ input: Input) throws {
        var message = try Self.message(phase)
        #expect(message.phase == phase)
        let action =
            switch input {
            case .next: try Self.content("cd", 2, &message)
            case .early: try Self.content("gh", 6, &message)
            case .known: try Self.content("b", 1, &message)
            case .takeReady: message.takeReady()?.text ?? "nothing"
            case .endMore: "\(try message.end(.more, at: 2))"
            case .endComplete: "\(try message.end(.complete, at: 2))"
            case .endAborted: "\(try message.end(.aborted, at: 2))"
            }
        let expected = try #require(Self.table[phase]?[input])
        #expect(action == expected.0)
        #expect(message.phase == expected.1)
    }

    @Test func whatOverlapsIsGivenOnOnce() throws {
        var message = IncomingMessage()
        #expect(try Self.content("EFGH", 4, &message) == "held")
        #expect(try Self.content("KL", 10, &message) == "held")
        // Across both pieces and the gap between them.
        #expect(try Self.content("fghIJklMN", 5, &message) == "held")
        #expect(message.waitingBytes == 10)
        #expect(try Self.content("abcdefgh", 0, &message) == "deliver abcd")
        var rest = ""
        while let bytes = message.takeReady() { rest += bytes.text }
        #expect(rest == "EFGHIJKLMN")
        #expect(message.waitingBytes == 0)
        #expect(try message.end(.complete, at: 14) == .complete(size: 14))
    }

    @Test func limitsHaveTheirErrors() throws {
        var limits = MSRPLimits()
        limits.maxGaps = 2
        var message = IncomingMessage()
        #expect(try Self.content("a", 2, &message, limits: limits) == "held")
        #expect(try Self.content("a", 4, &message, limits: limits) == "held")
        #expect(throws: MSRPError(.tooManyGaps, "")) { try Self.content("a", 6, &message, limits: limits) }
        #expect(throws: MSRPError(.tooMuchOutOfOrder, "")) {
            try Self.content("abcdef", 10, &message, room: 5)
        }
        #expect(message.waitingBytes == 2)
    }

    @Test func contentAfterTheEndIsAnError() throws {
        var message = IncomingMessage()
        _ = try Self.content("abcdef", 0, &message)
        #expect(throws: MSRPError(.wrongSize, "")) { try message.end(.complete, at: 3) }
    }
}
