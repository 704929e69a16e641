/// The entries of the manifest whose verdict this library does not give, each with the reason.
///
/// The aim is none.
enum Exceptions {
    static let list: [String: String] = [
        "sip/rfc4916-s5_1-06-UPDATE.sip":
            "text of the RFC slipped into Content-Length as a fold; a length that is no number is never guessed"
    ]
}
