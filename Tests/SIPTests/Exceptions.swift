/// The entries of the manifest whose verdict this library does not give, each with the reason. The aim is none.
enum Exceptions {
    static let list: [String: String] = [:]
}
