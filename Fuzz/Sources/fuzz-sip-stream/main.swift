import FuzzSupport
import NIOCore
import SIP

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The events of a stream that arrives in the given pieces.
func events(_ pieces: [ArraySlice<UInt8>], _ side: StreamFramer.Side) -> [String] {
    var framer = StreamFramer(side: side)
    var events: [String] = []
    for piece in pieces {
        framer.append(ByteBuffer(bytes: piece))
        while let event = framer.next() {
            switch event {
            case .message(let message): events.append(String(buffer: message.serialized()))
            case .ping: events.append("ping")
            case .pong: events.append("pong")
            case .failed(let error, _): events.append(error.code.rawValue)
            }
        }
    }
    return events
}

/// The first byte says where to cut the rest; the events must not depend on it.
func check(_ bytes: [UInt8]) {
    guard bytes.count > 1 else { return }
    let stream = bytes.dropFirst()
    let cut = stream.startIndex + Int(bytes[0]) * stream.count / 256
    for side in [StreamFramer.Side.client, .server] {
        let whole = events([stream], side)
        precondition(events([stream[..<cut], stream[cut...]], side) == whole)
        if stream.count < 512 { precondition(events(stream.indices.map { stream[$0...$0] }, side) == whole) }
    }
}

exit(runFuzzer(check))
