import FuzzSupport
import NIOCore
import SIP

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

let profile = ElementProfile(methods: [.invite, .ack, .bye, .cancel, .options, .message, .subscribe, .refer, .register])
let proxy = ProxyCore(sentBy: HostPort(host: "p"), ownAddresses: [HostPort(host: "p")], secret: "s")

/// What is added to a message may take it above the limits of its reader.
let roomy: SIPLimits = {
    var limits = SIPLimits()
    limits.headBytes *= 2
    limits.lineBytes *= 2
    limits.headerFields += 8
    return limits
}()

/// Reads the bytes as a datagram and treats it as every kind of element would.
func check(_ bytes: [UInt8]) {
    if let message = STUNMessage(parsing: ByteBuffer(bytes: bytes)) {
        // Of a request, attributes are read that are never printed.
        if case .request = message {} else { precondition(STUNMessage(parsing: message.bytes) == message) }
        if let source = try? SocketAddress(ipAddress: "2001:db8::1", port: 5060) {
            _ = message.answer(to: source)?.bytes
        }
    }
    let reading = SIPMessage.read(ByteBuffer(bytes: bytes))
    if case .respond(let response) = profile.check(reading) {
        precondition((try? SIPMessage(parsing: response.serialized()))?.status == response.status)
    }
    guard case .message(var message) = reading else { return }
    let printed = message.serialized()
    precondition(printed.readableBytes == message.serializedLength)
    guard let again = try? SIPMessage(parsing: printed) else { preconditionFailure("a printed message cannot be read") }
    precondition(again.serialized() == printed)
    _ = message.headerFields
    if message.isRequest {
        if proxy.check(message) == nil {
            var routed = message
            _ = try? proxy.removeOwnRoute(&routed)
            let how = ProxyCore.Forward(transport: "UDP", sentBy: HostPort(host: "p"), unique: "u")
            if let copy = try? proxy.forward(routed, how) {
                let read = try? SIPMessage(parsing: copy.serialized(), limits: roomy)
                precondition(read != nil, "a forwarded message cannot be read")
            }
        }
        if let address = (try? message.to())?.uri.sip, message.method == .register {
            var record = RegistrarRecord(addressOfRecord: address)
            _ = record.register(message, policy: .init(), arrival: .init(now: .uptimeNanoseconds(0)))
        }
        _ = try? ServerTransactionKey(message)
        _ = try? Refer(message)
        _ = try? CallerPreferences.rank([], request: message)
    } else {
        _ = try? ClientTransactionKey(response: message)
    }
    message.removeFirstValue(.via)
    message.replaceFirstValue(.route, "<sip:x>")
    message.removeBody()
    let read = try? SIPMessage(parsing: message.serialized(), limits: roomy)
    precondition(read != nil, "an edited message cannot be read")
}

exit(runFuzzer(check))
