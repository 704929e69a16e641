import FuzzSupport
import SDP

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What is printed must be read again as the same, and every view must survive any description.
func check(_ bytes: [UInt8]) {
    if let fragment = try? TrickleFragment(parsing: bytes) {
        precondition((try? TrickleFragment(parsing: fragment.bytes)) == fragment, "a fragment is read as another")
        _ = (fragment.userFragment, fragment.isComplete(), fragment.candidates(mediaID: "1"))
    }
    guard let description = try? SessionDescription(parsing: bytes) else { return }
    var limits = SDPLimits()
    limits.maximumBytes *= 2
    guard let again = try? SessionDescription(parsing: description.bytes, limits: limits) else {
        fatalError("what was printed is not read")
    }
    precondition(again == description, "what was printed is read as something else")
    for medium in description.media {
        _ = try? MSRPAttributes(of: medium)
        _ = try? medium.fileSelector()
        _ = (medium.rtpMaps, medium.fileRange, medium.fingerprints, medium.bandwidths, medium.setup)
        _ = (description.connection(of: medium), description.direction(of: medium))
    }
    _ = description.selecting([0, 2])
    var exchange = OfferAnswerExchange()
    guard (try? exchange.receiveOffer(description)) != nil else { return }
    let origin = Origin(sessionID: "1", sessionVersion: "1", addressType: "IP4", address: "192.0.2.1")
    let decisions = description.media.map { $0.isRejected ? nil : MediaAcceptance(port: 9) }
    let answer = try? SessionDescription(
        answering: description,
        origin: origin,
        acceptingGroups: ["BUNDLE"],
        decisions: decisions
    )
    guard let answer, let agreement = try? exchange.sendAnswer(answer) else { return }
    precondition(agreement.media.count == description.media.count, "a slot was lost")
}

exit(runFuzzer(check))
