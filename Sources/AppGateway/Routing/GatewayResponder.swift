import ClientWire
import Crypto
import HTTPTypes
import Hummingbird
import Logging
import MessagingCore
import MessagingService
import NIOCore
import NIOHTTP1
import Store

/// Answers every request of a listener: finds the route, checks who asks and how often, and turns whatever goes wrong
/// into problem details.
struct GatewayResponder: HTTPResponder {
    /// Checks a request before anything else, and says whose it is.
    protocol Doorkeeper: Sendable {
        func admit(_ request: Request, _ route: Route, _ peer: PeerKey) async throws -> DeviceIdentity?
        /// Looked at before the route is.
        func check(_ request: Request) throws
    }

    let table: RouteTable
    let limits: GatewayLimits
    let metrics: GatewayMetrics
    let doorkeeper: any Doorkeeper
    /// Pages beside the routes; nil for a listener without them.
    let pages: WebPages?
    /// Goes with every answer.
    let fields: HTTPFields
    let logger: Logger

    func respond(to request: Request, context: GatewayContext) async throws -> Response {
        let began = NIODeadline.now()
        var response: Response
        var route: Route?
        do {
            response = try await answer(request, context, &route)
        } catch let error as HTTPParserError {
            // The request broke off; what there is to say was said where that was seen.
            throw error
        } catch {
            response = try .problem(gatewayError(error))
        }
        for field in fields where response.headers[field.name] == nil { response.headers.append(field) }
        if request.method == .head { response = response.createHeadResponse() }
        let nanoseconds = (NIODeadline.now() - began).nanoseconds
        metrics.answered(status: response.status.code, nanoseconds: nanoseconds)
        // The form of the path only: the path itself may hold a link's token.
        logger.debug(
            "request answered",
            metadata: [
                "operation": "\(route?.operation.id ?? "none")", "status": "\(response.status.code)",
                "microseconds": "\(nanoseconds / 1000)",
            ]
        )
        return response
    }

    private func answer(
        _ request: Request,
        _ context: GatewayContext,
        _ found: inout Route?
    ) async throws -> Response {
        try doorkeeper.check(request)
        let target = request.head.path ?? "/"
        guard target.utf8.count <= limits.targetBytes else {
            throw GatewayError(Refusal(.tooLarge, "a path has at most \(limits.targetBytes) bytes"), status: 414)
        }
        let halves = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        if let page = try pages?.response(request, path: halves[0]) { return page }
        let (route, values) = try table.route(request.method, halves[0])
        found = route
        let identity = try await doorkeeper.admit(request, route, context.peer)
        let query = try Query(halves.count > 1 ? halves[1] : nil, known: route.operation.parameters)
        return try await route.handle(
            Call(
                request: request,
                route: route,
                values: values,
                query: query,
                peer: context.peer,
                limits: limits,
                identity: identity
            )
        )
    }

    private func gatewayError(_ error: any Error) -> GatewayError {
        switch error {
        case let error as GatewayError: return error
        case let refusal as Refusal:
            var error = GatewayError(refusal)
            switch refusal.code {
            case .unauthenticated: error.fields[.wwwAuthenticate] = "Bearer"
            case .unavailable, .storeFull, .rateLimited: error.fields[.retryAfter] = "1"
            default: break
            }
            return error
        case let error as any HTTPResponseError:
            return GatewayError(Refusal(.invalidRequest, "not a proper request"), status: error.status.code)
        default:
            logger.error("a request failed", metadata: ["error": "\(type(of: error))"])
            return GatewayError(Refusal(.internalError, "the server could not do this"))
        }
    }
}

extension Request {
    /// The token of `Authorization: Bearer TOKEN` (RFC 6750, section 2.1).
    /// - Throws: ``Refusal`` `unauthenticated`.
    func bearerToken() throws(Refusal) -> String {
        let halves = (headers[.authorization] ?? "").split(separator: " ", omittingEmptySubsequences: true)
        guard halves.count == 2, halves[0].lowercased() == "bearer", halves[1].utf8.count <= 256 else {
            throw Refusal(.unauthenticated, "send Authorization: Bearer and the device's token")
        }
        return String(halves[1])
    }
}

/// Lets devices in by their tokens, each at its rate.
struct DeviceDoorkeeper: GatewayResponder.Doorkeeper {
    let service: MessagingService
    let requests: RateLimiter<DeviceIdentity>

    func check(_ request: Request) {}

    func admit(_ request: Request, _ route: Route, _ peer: PeerKey) async throws -> DeviceIdentity? {
        guard route.access == .device else { return nil }
        let identity = try await service.authenticate(token: try request.bearerToken())
        if let wait = requests.take(identity, now: ConnectionLoop.now()) {
            throw GatewayError.rateLimited("the device sends requests too fast", waitMilliseconds: wait)
        }
        return identity
    }
}

/// Lets the operator in by their token, from a page or program that means this listener.
///
/// A browser on the operator's machine can be led to any address (DNS rebinding), so `Host` must be a name that we
/// know, and a page of another origin is refused.
struct OperatorDoorkeeper: GatewayResponder.Doorkeeper {
    private let digest: SHA256.Digest
    private let hosts: Set<String>
    private let failures: RateLimiter<PeerKey>

    init(token: String, hosts: [String], limits: GatewayLimits) {
        digest = SHA256.hash(data: Array(token.utf8))
        self.hosts = Set(["localhost", "127.0.0.1", "[::1]"] + hosts.map { $0.lowercased() })
        failures = RateLimiter(limits.operatorFailures, capacity: limits.rateEntries)
    }

    func check(_ request: Request) throws {
        guard let authority = request.head.authority, hosts.contains(Self.host(authority)) else {
            throw Refusal(.forbidden, "this listener does not answer to that Host")
        }
        guard let origin = request.headers[.origin] else { return }
        guard origin == "http://\(authority)" || origin == "https://\(authority)" else {
            throw Refusal(.forbidden, "pages of other origins are not served")
        }
    }

    func admit(_ request: Request, _ route: Route, _ peer: PeerKey) async throws -> DeviceIdentity? {
        guard route.access == .operated else { return nil }
        // Digests compare in constant time. The right token is always let in: it cannot be guessed, and whoever shares the
        // operator's machine must not be able to keep the operator out by guessing.
        if let token = try? request.bearerToken(), SHA256.hash(data: Array(token.utf8)) == digest { return nil }
        if let wait = failures.take(peer, now: ConnectionLoop.now()) {
            throw GatewayError.rateLimited("too many wrong tokens", waitMilliseconds: wait)
        }
        _ = try request.bearerToken()
        throw Refusal(.unauthenticated, "the operator's token is not right")
    }

    /// The host of `host:port`, in lower case.
    private static func host(_ authority: String) -> String {
        let lower = authority.lowercased()
        if lower.hasPrefix("[") {
            guard let end = lower.firstIndex(of: "]") else { return lower }
            return String(lower[...end])
        }
        return String(lower.prefix { $0 != ":" })
    }
}
