import FuzzSupport
import ProtocolDecoding

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Decodes any input as every protocol, and as a capture when it looks like one.
func check(_ bytes: [UInt8]) {
    for name in DecoderRegistry.standard.names {
        precondition(!DecoderRegistry.standard.decode(bytes, as: name).json.text.isEmpty, "no result")
    }
    _ = DecoderRegistry.standard.decode(bytes)
    guard let capture = try? Capture(parsing: bytes) else { return }
    // Nothing can come out of a file that is not in it.
    precondition(capture.payloads.reduce(0) { $0 + $1.bytes.count } <= bytes.count, "octets were made up")
    _ = DecoderRegistry.standard.decode(capture).map(\.json.text)
}

exit(runFuzzer(check))
