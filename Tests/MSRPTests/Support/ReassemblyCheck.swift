import MSRP
import NIOCore

/// Checks of the reassembly that hold for any chunks in any order; the smoke test and the fuzzer run the same ones.
enum ReassemblyCheck {
    private static let maxWaitingBytes = 512
    private static let maxIncomplete = 3

    /// Every octet of a message says what it is, so that one that is given on in the wrong place is noticed.
    private static func octet(of message: Int, at position: UInt64) -> UInt8 {
        UInt8(truncatingIfNeeded: position &* 31 &+ UInt64(message) &* 101)
    }

    /// Each six octets of the input are a chunk: message, start (two), length, what it announces, flag.
    static func run(_ input: [UInt8]) {
        var limits = MSRPLimits()
        limits.maxOutOfOrderBytes = Self.maxWaitingBytes
        limits.maxIncompleteMessages = Self.maxIncomplete
        limits.maxGaps = 4
        limits.maxMessageBytes = 60_000
        limits.maxRememberedMessages = 2
        var receiver = MessageReceiver(limits: limits)
        var delivered: [String: UInt64] = [:]
        var index = 0
        while index + 6 <= input.count {
            let chunk = Array(input[index..<(index + 6)])
            index += 6
            Self.feed(chunk, to: &receiver, &delivered)
            precondition(receiver.incompleteCount <= Self.maxIncomplete, "more messages than the limit")
            precondition((0...Self.maxWaitingBytes).contains(receiver.waitingByteCount), "more octets than the limit")
        }
        _ = receiver.expire(now: .uptimeNanoseconds(0) + .hours(1))
        precondition(receiver.incompleteCount == 0 && receiver.waitingByteCount == 0, "something is left")
    }

    private static func feed(_ chunk: [UInt8], to receiver: inout MessageReceiver, _ delivered: inout [String: UInt64])
    {
        let message = Int(chunk[0] % 5)
        let start = UInt64(chunk[1]) << 8 | UInt64(chunk[2])
        let length = UInt64(chunk[3])
        let totals = ["*", "*", "100", "65535", "60000", "18446744073709551614"]
        let total = totals[Int(chunk[4]) % totals.count]
        let text =
            "MSRP tran0001 SEND\r\nTo-Path: msrp://b:1/b;tcp\r\nFrom-Path: msrp://a:1/a;tcp\r\n"
            + "Message-ID: m\(message)\r\nByte-Range: \(start + 1)-*/\(total)\r\nContent-Type: text/plain\r\n\r\n"
        var parser = FrameParser()
        parser.append(ByteBuffer(string: text))
        guard case .head(let head)? = try? parser.next() else { preconditionFailure("a head is not read") }
        guard let begun = try? receiver.begin(head, now: .uptimeNanoseconds(0)) else { return }
        if case .newMessage(let id) = begun { delivered[id.text] = 0 }
        let content = (start..<(start + length)).map { Self.octet(of: message, at: $0) }
        // In two pieces, of which the first may be empty.
        let cut = content.count * Int(chunk[4] >> 4) / 16
        for piece in [content[..<cut], content[cut...]] where !piece.isEmpty {
            var action = receiver.content(ByteBuffer(bytes: piece))
            while case .deliver(let id, let offset, let bytes) = action {
                precondition(delivered[id.text] == offset, "octet \(offset) after \(delivered[id.text] ?? 0)")
                for (index, byte) in bytes.readableBytesView.enumerated() {
                    precondition(byte == Self.octet(of: message, at: offset + UInt64(index)), "a wrong octet")
                }
                delivered[id.text] = offset + UInt64(bytes.readableBytes)
                action = receiver.takeReady()
            }
        }
        let flags: [Continuation] = [.more, .more, .complete, .aborted]
        if case .complete(let id, let size) = receiver.end(flags[Int(chunk[5]) % flags.count]) {
            precondition(delivered[id.text] == size, "complete at \(size) after \(delivered[id.text] ?? 0)")
        }
    }
}
