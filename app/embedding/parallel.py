"""Questions and passages that say the same in Korean and in English: what translation.py measures a model on."""

from __future__ import annotations

# Korean passage, English passage, Korean question, English question: what a shelf could hold, unlike any evaluation's.
PARALLEL = (
    (
        "도서관은 한 사람에게 책을 다섯 권까지 3주 동안 빌려 줍니다.",
        "The library lends up to five books a person for three weeks.",
        "책은 몇 권까지 빌릴 수 있나요?",
        "How many books may I borrow?",
    ),
    (
        "분실한 출입증은 경비실에 신고하고 재발급 비용 만 원을 냅니다.",
        "A lost badge must be reported to the guard's office; a new one costs ten thousand won.",
        "출입증을 잃어버리면 어디에 신고하나요?",
        "Where do I report a lost badge?",
    ),
    (
        "회의실은 한 달 전부터 예약할 수 있고 취소는 하루 전까지 됩니다.",
        "Meeting rooms can be booked a month ahead and cancelled until the day before.",
        "회의실 예약은 언제까지 취소할 수 있나요?",
        "Until when can I cancel a room reservation?",
    ),
    (
        "재택근무는 일주일에 이틀까지 팀장의 승인을 받아 합니다.",
        "Employees may work from home two days a week if their team leader agrees.",
        "재택근무를 하려면 누구의 승인이 필요한가요?",
        "Whose approval do I need to work from home?",
    ),
    (
        "난방은 11월부터 3월까지 오전 6시에 켜집니다.",
        "The heating is switched on at six in the morning from November to March.",
        "난방은 몇 시에 켜지나요?",
        "At what time does the heating start?",
    ),
    (
        "고양이는 예방 접종을 마쳐야 호텔에 맡길 수 있습니다.",
        "Cats are accepted at the boarding house only after their vaccinations.",
        "고양이를 맡기려면 무엇이 필요한가요?",
        "What does my cat need before boarding?",
    ),
    (
        "강아지 산책은 목줄을 매고 배설물 봉투를 가지고 나가야 합니다.",
        "Dogs must be kept on a leash and their owners carry bags for the droppings.",
        "개를 산책시킬 때 목줄을 매야 하나요?",
        "Must dogs be on a leash?",
    ),
    (
        "지진이 나면 승강기를 쓰지 말고 계단으로 내려갑니다.",
        "During an earthquake do not use the lift; walk down the stairs.",
        "지진 때 승강기를 타도 되나요?",
        "May I take the lift in an earthquake?",
    ),
    (
        "소화기는 층마다 복도 끝에 두 개씩 있습니다.",
        "There are two fire extinguishers at the end of the corridor on each floor.",
        "소화기는 어디에 있습니까?",
        "Where are the fire extinguishers?",
    ),
    (
        "김치는 소금에 절인 배추에 고춧가루와 마늘을 넣어 담급니다.",
        "Kimchi is made of salted cabbage with chilli powder and garlic.",
        "김치에는 무엇이 들어가나요?",
        "What goes into kimchi?",
    ),
    (
        "된장찌개는 두부와 애호박을 넣고 15분쯤 끓입니다.",
        "Soybean paste stew is boiled for about fifteen minutes with tofu and courgettes.",
        "된장찌개는 얼마나 끓이나요?",
        "How long is the soybean paste stew boiled?",
    ),
    (
        "녹차는 70도쯤의 물에 2분 우려야 쓰지 않습니다.",
        "Green tea is steeped for two minutes in water of about seventy degrees, else it turns bitter.",
        "녹차는 물 온도가 몇 도여야 하나요?",
        "How hot should the water for green tea be?",
    ),
    (
        "비밀번호는 90일마다 바꾸고 열 글자를 넘겨야 합니다.",
        "Passwords are changed every ninety days and have more than ten characters.",
        "비밀번호는 얼마나 자주 바꾸나요?",
        "How often must I change my password?",
    ),
    (
        "노트북은 3년마다 교체하며 고장은 전산실에서 고칩니다.",
        "Laptops are replaced every three years and repaired by the IT department.",
        "노트북이 고장 나면 어디서 고치나요?",
        "Who repairs a broken laptop?",
    ),
    (
        "무선 인터넷 암호는 안내 데스크에서 매일 아침 받을 수 있습니다.",
        "The password of the wireless network is handed out at the front desk every morning.",
        "와이파이 암호는 어디서 받나요?",
        "Where do I get the Wi-Fi password?",
    ),
    (
        "출장비는 영수증을 붙여 2주 안에 청구합니다.",
        "Travel expenses are claimed within two weeks with the receipts.",
        "출장비는 언제까지 청구해야 하나요?",
        "By when must travel expenses be claimed?",
    ),
    (
        "신입 사원은 첫 석 달 동안 수습 기간을 거칩니다.",
        "New employees are on probation for their first three months.",
        "수습 기간은 얼마나 되나요?",
        "How long is the probation period?",
    ),
    (
        "출산 휴가는 90일이며 배우자에게는 10일을 줍니다.",
        "Maternity leave lasts ninety days, and the partner gets ten.",
        "배우자 출산 휴가는 며칠인가요?",
        "How many days of leave does the father get?",
    ),
    (
        "건강 검진은 해마다 한 번 회사가 비용을 냅니다.",
        "The company pays for one medical check-up a year.",
        "건강 검진 비용은 누가 내나요?",
        "Who pays for the check-up?",
    ),
    (
        "헌혈은 몸무게가 50킬로그램을 넘는 사람만 할 수 있습니다.",
        "Only people who weigh more than fifty kilograms may give blood.",
        "헌혈을 하려면 몸무게가 얼마여야 하나요?",
        "What must a blood donor weigh?",
    ),
)
