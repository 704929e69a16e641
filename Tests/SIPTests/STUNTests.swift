import NIOCore
import SIP
import Testing

@Suite("STUN keep-alives")
struct STUNTests {
    static let id = STUNMessage.Identifier(random: (0xB7E7_A701, 0xBC34_D686, 0xFA87_DFAE))
    static let other = STUNMessage.Identifier(random: (1, 2, 3))

    @Test(
        "The addresses of the vectors of RFC 5769 are read and printed",
        arguments: [
            ("192.0.2.1", "0001 a147 e112 a643"),
            (
                "2001:db8:1234:5678:11:2233:4455:6677",
                "0002 a147 0113 a9fa a5d3 f179 bc25 f4b5 bed2 b9d9"
            ),
        ]
    )
    func vectors(host: String, attribute: String) throws {
        let address = try SocketAddress(ipAddress: host, port: 32_853)
        let digits = Array(attribute.filter { $0 != " " })
        let value = stride(from: 0, to: digits.count, by: 2).compactMap {
            UInt8(String(digits[$0...($0 + 1)]), radix: 16)
        }
        let message = STUNMessage.success(Self.id, mapped: address)
        let bytes = Array(message.bytes.readableBytesView)
        #expect(Array(bytes.suffix(value.count)) == value)
        #expect(Array(bytes[20..<24]) == [0x00, 0x20, 0x00, UInt8(value.count)])
        #expect(STUNMessage(parsing: message.bytes) == message)
    }

    @Test("A request is answered with its source; what it wants understood and is not, is refused with 420")
    func answers() throws {
        let source = try SocketAddress(ipAddress: "192.0.2.7", port: 5060)
        let request = STUNMessage.request(Self.id)
        #expect(STUNMessage(parsing: request.bytes) == request)
        #expect(request.answer(to: source) == .success(Self.id, mapped: source))
        var strange = request.bytes
        strange.setInteger(UInt16(8), at: 2)
        strange.writeMultipleIntegers(UInt16(0x7777), UInt16(1), UInt32(0))
        let read = try #require(STUNMessage(parsing: strange))
        #expect(read == .request(Self.id, unknown: [0x7777]))
        let refusal = try #require(read.answer(to: source))
        #expect(refusal == .failure(Self.id, code: 420, unknown: [0x7777]))
        #expect(STUNMessage(parsing: refusal.bytes) == refusal)
        #expect(refusal.answer(to: source) == nil)
    }

    @Test("Every cut and every changed byte is survived")
    func hostile() throws {
        let source = try SocketAddress(ipAddress: "2001:db8::1", port: 1)
        let whole = Array(STUNMessage.success(Self.id, mapped: source).bytes.readableBytesView)
        for count in 0..<whole.count { #expect(STUNMessage(parsing: ByteBuffer(bytes: whole[..<count])) == nil) }
        for index in whole.indices {
            for value in UInt8.min...UInt8.max {
                var bytes = whole
                bytes[index] = value
                guard let message = STUNMessage(parsing: ByteBuffer(bytes: bytes)) else { continue }
                if case .request = message { continue }
                #expect(STUNMessage(parsing: message.bytes) == message)
            }
        }
    }

    @Test("Each state with each input")
    func machine() throws {
        let here = try SocketAddress(ipAddress: "192.0.2.1", port: 1)
        let there = try SocketAddress(ipAddress: "192.0.2.1", port: 2)
        let start = NIODeadline.uptimeNanoseconds(0)
        var machine = STUNKeepAlive(interval: .seconds(25), now: start)
        #expect(machine.received(.success(Self.id, mapped: here), now: start, random: 0) == .none)
        #expect(machine.timeReached(start, identifier: Self.id) == .send(Self.id))
        #expect(machine.state == .asked(Self.id, sent: 1, until: start + .milliseconds(500)))
        #expect(machine.timeReached(start, identifier: Self.other) == .none)
        #expect(machine.received(.success(Self.other, mapped: there), now: start, random: 0) == .none)
        #expect(machine.received(.request(Self.id), now: start, random: 0) == .none)
        #expect(machine.received(.success(Self.id, mapped: here), now: start, random: 1023) == .none)
        guard case .resting(let until) = machine.state else { throw SIPError(.notAllowed, "\(machine.state)") }
        #expect(until > start + .seconds(20) && until < start + .seconds(21), "up to a fifth earlier")
        #expect(machine.mapped == here)

        var moved = machine
        #expect(moved.timeReached(until, identifier: Self.other) == .send(Self.other))
        #expect(moved.received(.success(Self.other, mapped: there), now: until, random: 0) == .broken)
        #expect(moved.state == .broken && moved.deadline == nil)
        #expect(moved.timeReached(until + .hours(1), identifier: Self.id) == .none)
        #expect(moved.received(.success(Self.other, mapped: here), now: until, random: 0) == .none)

        var refused = machine
        _ = refused.timeReached(until, identifier: Self.other)
        #expect(refused.received(.failure(Self.other, code: 420), now: until, random: 0) == .broken)

        var times: [Int64] = []
        var last = STUNKeepAlive.Action.none
        while let deadline = machine.deadline {
            last = machine.timeReached(deadline, identifier: Self.other)
            times.append((deadline - until).nanoseconds / 1_000_000)
        }
        #expect(times == [0, 500, 1500, 3500, 7500, 15_500, 31_500, 39_500])
        #expect(last == .broken)
    }
}
