import FuzzSupport
import NIOCore
import SIPTransport

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Reads the bytes as an answer of a DNS server.
func check(_ bytes: [UInt8]) {
    guard let message = try? DNSMessage(parsing: ByteBuffer(bytes: bytes)) else { return }
    precondition(message.records.count <= DNSMessage.maximumRecords)
    precondition(message.questionName.utf8.count <= 253)
}

exit(runFuzzer(check))
