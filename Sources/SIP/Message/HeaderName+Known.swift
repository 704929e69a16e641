extension HeaderName {
    /// `Accept`.
    public static var accept: Self { Self(id: 0) }
    /// `Accept-Contact` (compact form `a`).
    public static var acceptContact: Self { Self(id: 1) }
    /// `Accept-Encoding`.
    public static var acceptEncoding: Self { Self(id: 2) }
    /// `Accept-Language`.
    public static var acceptLanguage: Self { Self(id: 3) }
    /// `Alert-Info`.
    public static var alertInfo: Self { Self(id: 4) }
    /// `Allow`.
    public static var allow: Self { Self(id: 5) }
    /// `Allow-Events` (compact form `u`).
    public static var allowEvents: Self { Self(id: 6) }
    /// `Authentication-Info`.
    public static var authenticationInfo: Self { Self(id: 7) }
    /// `Authorization`.
    public static var authorization: Self { Self(id: 8) }
    /// `Call-ID` (compact form `i`).
    public static var callID: Self { Self(id: 9) }
    /// `Call-Info`.
    public static var callInfo: Self { Self(id: 10) }
    /// `Contact` (compact form `m`).
    public static var contact: Self { Self(id: 11) }
    /// `Content-Disposition`.
    public static var contentDisposition: Self { Self(id: 12) }
    /// `Content-Encoding` (compact form `e`).
    public static var contentEncoding: Self { Self(id: 13) }
    /// `Content-Language`.
    public static var contentLanguage: Self { Self(id: 14) }
    /// `Content-Length` (compact form `l`).
    public static var contentLength: Self { Self(id: 15) }
    /// `Content-Type` (compact form `c`).
    public static var contentType: Self { Self(id: 16) }
    /// `Contribution-ID`.
    public static var contributionID: Self { Self(id: 17) }
    /// `Conversation-ID`.
    public static var conversationID: Self { Self(id: 18) }
    /// `CSeq`.
    public static var cSeq: Self { Self(id: 19) }
    /// `Date`.
    public static var date: Self { Self(id: 20) }
    /// `Error-Info`.
    public static var errorInfo: Self { Self(id: 21) }
    /// `Event` (compact form `o`).
    public static var event: Self { Self(id: 22) }
    /// `Expires`.
    public static var expires: Self { Self(id: 23) }
    /// `Flow-Timer`.
    public static var flowTimer: Self { Self(id: 24) }
    /// `From` (compact form `f`).
    public static var from: Self { Self(id: 25) }
    /// `Geolocation`.
    public static var geolocation: Self { Self(id: 26) }
    /// `Identity` (compact form `y`).
    public static var identity: Self { Self(id: 27) }
    /// `In-Reply-To`.
    public static var inReplyTo: Self { Self(id: 28) }
    /// `Info-Package`.
    public static var infoPackage: Self { Self(id: 29) }
    /// `Join`.
    public static var join: Self { Self(id: 30) }
    /// `Max-Breadth`.
    public static var maxBreadth: Self { Self(id: 31) }
    /// `Max-Forwards`.
    public static var maxForwards: Self { Self(id: 32) }
    /// `MIME-Version`.
    public static var mimeVersion: Self { Self(id: 33) }
    /// `Min-Expires`.
    public static var minExpires: Self { Self(id: 34) }
    /// `Min-SE`.
    public static var minSE: Self { Self(id: 35) }
    /// `Organization`.
    public static var organization: Self { Self(id: 36) }
    /// `P-Access-Network-Info`.
    public static var pAccessNetworkInfo: Self { Self(id: 37) }
    /// `P-Asserted-Identity`.
    public static var pAssertedIdentity: Self { Self(id: 38) }
    /// `P-Asserted-Service`.
    public static var pAssertedService: Self { Self(id: 39) }
    /// `P-Associated-URI`.
    public static var pAssociatedURI: Self { Self(id: 40) }
    /// `P-Called-Party-ID`.
    public static var pCalledPartyID: Self { Self(id: 41) }
    /// `P-Preferred-Identity`.
    public static var pPreferredIdentity: Self { Self(id: 42) }
    /// `P-Preferred-Service`.
    public static var pPreferredService: Self { Self(id: 43) }
    /// `Path`.
    public static var path: Self { Self(id: 44) }
    /// `Priority`.
    public static var priority: Self { Self(id: 45) }
    /// `Privacy`.
    public static var privacy: Self { Self(id: 46) }
    /// `Proxy-Authentication-Info` (RFC 7615); too rare to be among the known ones.
    public static let proxyAuthenticationInfo: Self = "Proxy-Authentication-Info"
    /// `Proxy-Authenticate`.
    public static var proxyAuthenticate: Self { Self(id: 47) }
    /// `Proxy-Authorization`.
    public static var proxyAuthorization: Self { Self(id: 48) }
    /// `Proxy-Require`.
    public static var proxyRequire: Self { Self(id: 49) }
    /// `RAck`.
    public static var rAck: Self { Self(id: 50) }
    /// `Reason`.
    public static var reason: Self { Self(id: 51) }
    /// `Record-Route`.
    public static var recordRoute: Self { Self(id: 52) }
    /// `Recv-Info`.
    public static var recvInfo: Self { Self(id: 53) }
    /// `Refer-Sub`.
    public static var referSub: Self { Self(id: 54) }
    /// `Refer-To` (compact form `r`).
    public static var referTo: Self { Self(id: 55) }
    /// `Referred-By` (compact form `b`).
    public static var referredBy: Self { Self(id: 56) }
    /// `Reject-Contact` (compact form `j`).
    public static var rejectContact: Self { Self(id: 57) }
    /// `Replaces`.
    public static var replaces: Self { Self(id: 58) }
    /// `Reply-To`.
    public static var replyTo: Self { Self(id: 59) }
    /// `Request-Disposition` (compact form `d`).
    public static var requestDisposition: Self { Self(id: 60) }
    /// `Require`.
    public static var require: Self { Self(id: 61) }
    /// `Retry-After`.
    public static var retryAfter: Self { Self(id: 62) }
    /// `Route`.
    public static var route: Self { Self(id: 63) }
    /// `RSeq`.
    public static var rSeq: Self { Self(id: 64) }
    /// `Server`.
    public static var server: Self { Self(id: 65) }
    /// `Service-Route`.
    public static var serviceRoute: Self { Self(id: 66) }
    /// `Session-Expires` (compact form `x`).
    public static var sessionExpires: Self { Self(id: 67) }
    /// `Session-ID`.
    public static var sessionID: Self { Self(id: 68) }
    /// `SIP-ETag`.
    public static var sipETag: Self { Self(id: 69) }
    /// `SIP-If-Match`.
    public static var sipIfMatch: Self { Self(id: 70) }
    /// `Subject` (compact form `s`).
    public static var subject: Self { Self(id: 71) }
    /// `Subscription-State`.
    public static var subscriptionState: Self { Self(id: 72) }
    /// `Supported` (compact form `k`).
    public static var supported: Self { Self(id: 73) }
    /// `Target-Dialog`.
    public static var targetDialog: Self { Self(id: 74) }
    /// `Timestamp`.
    public static var timestamp: Self { Self(id: 75) }
    /// `To` (compact form `t`).
    public static var to: Self { Self(id: 76) }
    /// `Unsupported`.
    public static var unsupported: Self { Self(id: 77) }
    /// `User-Agent`.
    public static var userAgent: Self { Self(id: 78) }
    /// `Via` (compact form `v`).
    public static var via: Self { Self(id: 79) }
    /// `Warning`.
    public static var warning: Self { Self(id: 80) }
    /// `WWW-Authenticate`.
    public static var wwwAuthenticate: Self { Self(id: 81) }
}
