import ClientWire
import FoundationEssentials
import HTTPTypes
import Hummingbird
import MessagingCore
import NIOCore
import Store

/// One request on its route.
struct Call: Sendable {
    let request: Request
    let route: Route
    let values: [String]
    let query: Query
    let peer: PeerKey
    let limits: GatewayLimits
    /// Whose token came with it, on routes for devices.
    let identity: DeviceIdentity?

    /// - Throws: ``Refusal`` `unauthenticated` on a route that asks for no token.
    func device() throws(Refusal) -> DeviceIdentity {
        guard let identity else { throw Refusal(.unauthenticated, "a device token is needed") }
        return identity
    }

    /// The value of a path's parameter.
    func value(_ name: String) -> String {
        guard let index = route.path.parameters.firstIndex(of: name) else { return "" }
        return values[index]
    }

    /// - Throws: ``Refusal`` `invalid-id`.
    func messageID(_ name: String = "id") throws(Refusal) -> MessageID { try MessageID(value(name)) }

    /// A part's or device's number.
    /// - Throws: ``Refusal`` `not-found`, for what is no number names nothing.
    func number<Number: FixedWidthInteger>(_ name: String, _ what: String) throws(Refusal) -> Number {
        let text = value(name)
        guard text.utf8.first != UInt8(ascii: "+"), let number = Number(text), number >= 0 else {
            throw Refusal(.notFound, "no such \(what)")
        }
        return number
    }

    // MARK: Bodies

    /// A body whose type checks its own fields.
    /// - Throws: ``Refusal`` `invalid-request`; ``GatewayError`` 413, 415.
    // Not inlined, nor is the next one: specialised into the routes' closures it crashes the optimiser of Swift 6.3.1.
    @inline(never)
    func json<Body: Decodable>(_ type: Body.Type) async throws -> Body {
        try StrictJSON.decode(type, from: try await collected())
    }

    /// A body in which any field that the type does not have is refused.
    /// - Throws: as ``json(_:)``.
    @inline(never)
    func exactJSON<Body: Codable>(_ type: Body.Type) async throws -> Body {
        try StrictJSON.decodeExactly(type, from: try await collected())
    }

    private func collected() async throws -> Data {
        guard Self.isJSON(request.headers[.contentType]) else {
            throw GatewayError(Refusal(.unsupportedMediaType, "send Content-Type: application/json"))
        }
        let tooLarge = Refusal(.tooLarge, "a body has at most \(limits.jsonBodyBytes) bytes")
        if let length = request.headers[.contentLength].flatMap(Int.init), length > limits.jsonBodyBytes {
            throw tooLarge
        }
        do {
            return Data(buffer: try await request.body.collect(upTo: limits.jsonBodyBytes))
        } catch is NIOTooManyBytesError {
            throw tooLarge
        }
    }

    /// `application/json`, in UTF-8 if a charset is named.
    private static func isJSON(_ field: String?) -> Bool {
        guard let field, canonicalMediaType(field) == "application/json" else { return false }
        return field.split(separator: ";").dropFirst().allSatisfy { parameter in
            let halves = parameter.split(separator: "=", maxSplits: 1).map {
                $0.filter { !"\" ".contains($0) }.lowercased()
            }
            return halves.first != "charset" || halves.last == "utf-8"
        }
    }
}

extension Data {
    init(buffer: ByteBuffer) { self.init(buffer.readableBytesView) }
}
