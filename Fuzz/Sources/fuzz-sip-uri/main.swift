import FuzzSupport
import SIP

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Reads the bytes as a URI and as header field values; what is printed must be read as the same.
func check(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    if let uri = try? URI(text) {
        precondition((try? URI(uri.description)) == uri)
        precondition(uri.isEquivalent(to: uri))
        if let sip = uri.sip { _ = (sip.addressOfRecord, sip.decodedUser, sip.transport) }
        if let tel = uri.tel { _ = tel.canonicalNumber }
    }
    if let address = try? NameAddress(text) { precondition((try? NameAddress(address.description)) == address) }
    if let value = try? AuthenticationValue(text) {
        if let challenge = DigestChallenge(value) { _ = challenge.value.description }
    }
    _ = try? ContactPredicate(text)
    _ = try? DialogReference(text)
    _ = try? MediaType(text)
    _ = try? RetryAfter(text)
}

exit(runFuzzer(check))
