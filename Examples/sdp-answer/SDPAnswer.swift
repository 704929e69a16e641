import Foundation
import SDP

/// `sdp-answer ADDRESS PORT < offer.sdp`: prints the answer that takes the MSRP streams of an offer and nothing else.
@main
enum SDPAnswer {
    static func main() {
        let arguments = CommandLine.arguments
        guard arguments.count == 3, let port = Int(arguments[2]) else {
            Self.fail("sdp-answer ADDRESS PORT < offer.sdp")
        }
        let octets = Array(FileHandle.standardInput.readDataToEndOfFile())
        do throws(SDPError) {
            print(try Self.answer(octets, address: arguments[1], port: port).text, terminator: "")
        } catch {
            Self.fail("\(error.code.rawValue): \(error.reason)")
        }
    }

    static func answer(_ octets: [UInt8], address: String, port: Int) throws(SDPError) -> SessionDescription {
        let offer = try SessionDescription(parsing: octets)
        var exchange = OfferAnswerExchange()
        _ = try exchange.receiveOffer(offer)
        var decisions: [MediaAcceptance?] = []
        for (index, medium) in offer.media.enumerated() {
            guard medium.isMSRP else {
                decisions.append(nil)
                continue
            }
            // Whoever offers says who may connect; we do either.
            let theirs = try MSRPAttributes(of: medium)
            let own = MSRPAttributes(
                path: ["msrp://\(address):\(port)/session\(index);tcp"],
                acceptTypes: theirs.acceptTypes,
                setup: theirs.setup?.answering(canListen: true, canConnect: true)
            )
            decisions.append(MediaAcceptance(port: port, attributes: own.attributes))
        }
        let answer = try SessionDescription(
            answering: offer,
            origin: Origin(sessionID: "1", sessionVersion: "1", addressType: "IP4", address: address),
            connection: Connection(addressType: "IP4", address: address),
            decisions: decisions
        )
        return try exchange.sendAnswer(answer).local
    }

    private static func fail(_ text: String) -> Never {
        FileHandle.standardError.write(Data((text + "\n").utf8))
        exit(1)
    }
}
