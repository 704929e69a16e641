import ClientWire
import HTTPTypes
import MessagingCore

/// Finds the route of a request; knows which methods a path has.
struct RouteTable: Sendable {
    /// All methods of one path.
    private struct Entry: Sendable {
        var path: PathTemplate
        var routes: [String: Route]

        var allow: String { routes.keys.sorted().joined(separator: ", ") }
    }

    let routes: [Route]
    private let entries: [Int: [Entry]]

    init(_ routes: [Route]) {
        self.routes = routes
        var byPath: [PathTemplate: Entry] = [:]
        for route in routes {
            var entry = byPath[route.path] ?? Entry(path: route.path, routes: [:])
            precondition(entry.routes.updateValue(route, forKey: route.method.rawValue) == nil, "a route twice")
            byPath[route.path] = entry
        }
        entries = Dictionary(grouping: byPath.values) { $0.path.segments.count }
            .mapValues { $0.sorted { $0.path.fixedSegments > $1.path.fixedSegments } }
    }

    /// The route of a method and an undecoded path, with the values of the path's parameters.
    /// - Throws: ``GatewayError`` 404 for a path that nothing is at, 405 for a method that it does not have.
    func route(_ method: HTTPRequest.Method, _ path: Substring) throws -> (Route, [String]) {
        guard path.first == "/" else { throw Self.unknown }
        var pieces: [String] = []
        for piece in path.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            guard !piece.isEmpty, let decoded = percentDecoded(piece) else { throw Self.unknown }
            pieces.append(decoded)
        }
        for entry in entries[pieces.count] ?? [] {
            guard let values = entry.path.match(pieces) else { continue }
            guard let route = entry.routes[method.rawValue] else {
                throw GatewayError(
                    Refusal(.methodNotAllowed, "this path has \(entry.allow)"),
                    fields: [.allow: entry.allow]
                )
            }
            return (route, values)
        }
        throw Self.unknown
    }

    private static var unknown: GatewayError { GatewayError(Refusal(.notFound, "nothing is at this path")) }
}
