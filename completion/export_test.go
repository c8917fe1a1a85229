package completion

import "time"

// SetCheckLimit gives the parser all the time that a test can wait, so that what
// it shows does not depend on how busy the machine is.
func (c *Completer) SetCheckLimit(limit time.Duration) { c.checkLimit = limit }
