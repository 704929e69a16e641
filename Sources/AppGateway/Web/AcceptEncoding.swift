/// What a client says of compression (RFC 9110, section 12.5.3).
struct AcceptEncoding: Equatable, Sendable {
    /// gzip is wanted: named, or meant by `*`, and not with the weight 0.
    let gzip: Bool

    init(_ field: String?) {
        var named: Bool?
        var any = false
        for entry in field?.lowercased().split(separator: ",") ?? [] {
            let pieces = entry.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" } }
            let isRefused = pieces.dropFirst().contains { $0.hasPrefix("q=") && Double($0.dropFirst(2)) == 0 }
            switch pieces.first {
            case "gzip", "x-gzip": named = !isRefused
            case "*": any = !isRefused
            default: break
            }
        }
        gzip = named ?? any
    }
}
