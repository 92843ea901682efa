# SPDX-License-Identifier: GPL-2.0-or-later
"""MESSAGE_ID= of the entries in the journal, as daemon/alert/message-ids.h has them."""

import os
import re

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../daemon/alert/message-ids.h"),
          encoding="utf-8") as header:
    MESSAGE_IDS = dict(re.findall(r'^#define MESSAGE_ID_(\w+) "(\w+)"$', header.read(), re.MULTILINE))
